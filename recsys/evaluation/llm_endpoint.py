"""An endpoint that speaks OpenAI's chat completions, asked with patience and with errors that name the mend."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import SecretStr

from recsys.errors import RecsysError, SettingsError

LONGEST_WAIT = 60.0
"""Seconds that an endpoint can make us wait before the next attempt."""

_BROKEN = (TimeoutError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError, http.client.IncompleteRead)
"""What may go well the next time."""


class EndpointError(RecsysError):
    """The language model's endpoint cannot be reached, or does not answer as it should."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected key would be sent to somebody else."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Endpoint:
    """Where language models answer.

    Args:
        url: the base, to which `/chat/completions` is added.
        key: a bearer token, or None.
        timeout: seconds of silence after which an attempt has failed.
        attempts: how often the same is asked where the endpoint is busy or breaks off.
        wait: sleeps between attempts.

    Raises:
        SettingsError: the key cannot be one.
    """

    def __init__(
        self, url: str, key: SecretStr | None, timeout: float, attempts: int, wait: Callable[[float], None]
    ) -> None:
        self.url = url
        self._key = key.get_secret_value().strip() if key else ""
        self._timeout = timeout
        self._attempts = attempts
        self._wait = wait
        if not (self._key.isascii() and self._key.isprintable()):
            raise SettingsError("RECSYS_LLM_KEY holds characters that no key has: set it anew")

    def complete(self, model: str, messages: Sequence[dict[str, str]]) -> str:
        """The text that a model answers with, at temperature 0 where it knows one, so that chance has no part.

        Raises:
            EndpointError: the endpoint cannot be reached, refuses, or answers otherwise.
            SettingsError: the URL is none.
        """
        asked = {"model": model, "messages": messages, "temperature": 0}
        status, body = self._post(asked)
        if status == 400 and "temperature" in _reason(body):
            del asked["temperature"]
            status, body = self._post(asked)
        if status != 200:
            raise EndpointError(self._refusal(status, body, model))
        return self._text(body)

    def _post(self, asked: dict[str, Any]) -> tuple[int, bytes]:
        """The status and body of the last attempt."""
        attempt = 1
        while True:
            pause = min(2.0 ** (attempt - 1), LONGEST_WAIT)
            try:
                status, body, retry_after = self._once(asked)
            except _BROKEN as error:
                if attempt >= self._attempts:
                    said = "did not answer in time" if isinstance(error, TimeoutError) else "broke the connection"
                    raise EndpointError(
                        f"{self.url} {said}, {attempt} times: try again later, or set RECSYS_LLM_URL"
                    ) from None
            else:
                if attempt >= self._attempts or (status != 429 and status < 500):
                    return status, body
                pause = _pause(retry_after, pause)
            self._wait(pause)
            attempt += 1

    def _once(self, asked: dict[str, Any]) -> tuple[int, bytes, str | None]:
        """Status, body and Retry-After."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "recsys"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            request = urllib.request.Request(
                f"{self.url.rstrip('/')}/chat/completions", json.dumps(asked).encode(), headers
            )
            opener = urllib.request.build_opener(_NoRedirect)
            with opener.open(request, timeout=self._timeout) as response:
                return response.status, response.read(), None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers.get("Retry-After")
        except urllib.error.URLError as error:
            if isinstance(error.reason, _BROKEN):
                raise error.reason from None
            reason = getattr(error.reason, "strerror", None) or error.reason
            raise EndpointError(
                f"cannot reach the language model at {self.url}: {reason}; start it, or set RECSYS_LLM_URL"
            ) from None
        except _BROKEN:
            raise
        except (http.client.InvalidURL, ValueError):
            raise SettingsError(f"RECSYS_LLM_URL is not a valid URL: {self.url!r}") from None
        except (http.client.HTTPException, OSError):
            raise EndpointError(f"{self.url} does not answer as a web server does: set RECSYS_LLM_URL") from None

    def _refusal(self, status: int, body: bytes, model: str) -> str:
        mend = {
            401: "set RECSYS_LLM_KEY to a key of it",
            403: "set RECSYS_LLM_KEY to a key that may use it",
            404: f"check RECSYS_LLM_URL, which usually ends in /v1, and RECSYS_LLM_MODEL, {model!r}",
            429: "wait, or use a key with a higher limit",
        }.get(status, "check RECSYS_LLM_URL" if 300 <= status < 400 else "try again later, or another RECSYS_LLM_MODEL")
        reason = _reason(body)
        if self._key:
            reason = reason.replace(self._key, "…")
        return f"{self.url} refused with status {status}{f' ({reason})' if reason else ''}: {mend}"

    def _text(self, body: bytes) -> str:
        try:
            content = json.loads(body)["choices"][0]["message"]["content"]
            return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            raise EndpointError(
                f"{self.url} answered, but not as OpenAI's chat completions do: check RECSYS_LLM_URL"
            ) from None


def _reason(body: bytes) -> str:
    """What an endpoint says about an error, in one short line; '' for a page or nothing."""
    try:
        error = json.loads(body)["error"]
        text = error["message"] if isinstance(error, dict) else error
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return " ".join(str(text).split())[:200]


def _pause(retry_after: str | None, pause: float) -> float:
    """Seconds to wait: what the endpoint asks for, within reason."""
    asked = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
    return min(max(asked, pause), LONGEST_WAIT)
