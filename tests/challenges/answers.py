"""Answers to challenge 2, wrong and right: another body of ``do_task``, and perhaps another decorator.

`WRONG` holds each to the one code that it must get.
"""

from textwrap import dedent, indent

DECORATOR = "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5)"


def caught(what: str, then: str) -> str:
    """Return a body that catches something before all else, and does one thing then."""
    return f"""
    try:
        geoprocess(x, y)
    except {what}:
        {then}
    except Exception as error:
        raise TaskError(error)
    """


STARTER = """
    try:
        geoprocess(x, y)
    except Exception as error:
        raise TaskError(f"{type(error).__name__}: {error}") from error
    """

WRONG = {
    "the file is untouched": (STARTER, "C2-NOT-ATTEMPTED"),
    "the Retry is swallowed": (
        """
        try:
            try:
                geoprocess(x, y)
            except ServiceError as error:
                self.retry(countdown=10, exc=error)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-RETRY-SWALLOWED",
    ),
    "the Retry is swallowed and logged": (
        """
        try:
            try:
                geoprocess(x, y)
            except ServiceError as error:
                self.retry(countdown=10, exc=error)
        except Exception as error:
            print(error)
        """,
        "C2-RETRY-SWALLOWED",
    ),
    "the broad clause comes first": (
        """
        try:
            geoprocess(x, y)
        except Exception as error:
            raise TaskError(f"{type(error).__name__}: {error}")
        except ServiceError as error:
            self.retry(countdown=10, exc=error)
        """,
        "C2-BROAD-FIRST",
    ),
    "autoretry behind the broad clause": (
        (DECORATOR.replace(")", ", autoretry_for=(ServiceError,))"), STARTER),
        "C2-BROAD-FIRST",
    ),
    "everything is retried": (
        """
        try:
            geoprocess(x, y)
        except Exception as error:
            self.retry(countdown=10, exc=error)
        """,
        "C2-RETRIES-ALL",
    ),
    "another exception is caught": (
        caught("ConnectionError as error", "self.retry(countdown=10, exc=error)"),
        "C2-WRONG-EXCEPTION",
    ),
    "passed over": (
        """
        try:
            geoprocess(x, y)
        except ServiceError:
            pass
        """,
        "C2-DROPPED",
    ),
    "sent anew": (caught("ServiceError", "do_task.apply_async((x, y), countdown=1)"), "C2-SENT-ANEW"),
    "caught and raised": (caught("ServiceError", "raise"), "C2-NO-RETRY"),
    "max_retries is 0": (
        (
            DECORATOR.replace("max_retries=3", "max_retries=0"),
            caught("ServiceError as error", "self.retry(countdown=10, exc=error)"),
        ),
        "C2-MAX-RETRIES",
    ),
    "no retries in the call": (
        caught("ServiceError", "self.retry(countdown=10, max_retries=0)"),
        "C2-MAX-RETRIES",
    ),
    "the countdown is an hour": (
        caught("ServiceError as error", "self.retry(countdown=3600, exc=error)"),
        "C2-COUNTDOWN-LONG",
    ),
    "sleep and call again": (
        """
        import time
        try:
            geoprocess(x, y)
        except ServiceError:
            time.sleep(0.2)
            geoprocess(x, y)
        """,
        "C2-SLEEP",
    ),
    "sleep until the time limit": (
        (
            DECORATOR.replace("soft_time_limit=5", "soft_time_limit=1"),
            """
            import time
            while True:
                try:
                    return geoprocess(x, y)
                except ServiceError:
                    time.sleep(10)
            """,
        ),
        "C2-SLEEP",
    ),
    "a name is misspelt": (
        caught("ServiceEror as error", "self.retry(countdown=10, exc=error)"),
        "C2-ERROR-IN-TASK",
    ),
}


AS_IN_THE_COURSE = """
    try:
        geoprocess(x, y)
    except ServiceError as error:
        self.retry(countdown=10, exc=error)
    except Exception as error:
        raise TaskError(f"{type(error).__name__}: {error}") from error
    """

RIGHT = {
    "as in the course": AS_IN_THE_COURSE,
    "one clause that asks": """
        try:
            geoprocess(x, y)
        except Exception as error:
            if isinstance(error, ServiceError):
                raise self.retry(countdown=5, exc=error)
            raise TaskError(error)
        """,
    "autoretry_for with backoff": (
        DECORATOR.replace(")", ", autoretry_for=(ServiceError,), retry_backoff=2, retry_jitter=False)"),
        caught("ServiceError", "raise"),
    ),
}

WITHOUT_DELAY = caught("ServiceError as error", "raise self.retry(exc=error)")


def edited(text: str, answer: str | tuple[str, str]) -> str:
    """Return ``tasks.py`` with another body of ``do_task``, and perhaps another decorator."""
    decorator, body = answer if isinstance(answer, tuple) else (DECORATOR, answer)
    head, _, _ = text.partition("    try:\n        geoprocess")
    assert DECORATOR in head
    return head.replace(DECORATOR, decorator) + indent(dedent(body).strip(), "    ") + "\n"
