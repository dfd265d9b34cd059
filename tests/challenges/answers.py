"""Answers to challenge 2, wrong and right: another body of ``do_task``, and perhaps another decorator.

`WRONG` holds each to the one code that it must get.
"""

from textwrap import dedent, indent

DECORATOR = "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5)"

STARTER = """
    try:
        geoprocess(x, y)
    except Exception as error:
        raise TaskError(f"{type(error).__name__}: {error}") from error
    """

WRONG = {
    "the file is untouched": (STARTER, "C2-NOT-ATTEMPTED"),
    "a comment only": (
        """
        # self.retry(countdown=10)
        try:
            geoprocess(x, y)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-NOT-ATTEMPTED",
    ),
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
    "the Retry is swallowed by a bare except": (
        """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            try:
                self.retry(countdown=10, exc=error)
            except:
                raise TaskError("no luck")
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
        (
            "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5, "
            "autoretry_for=(ServiceError,))",
            STARTER,
        ),
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
    "TaskError is retried too": (
        (
            "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5, "
            "autoretry_for=(ServiceError, TaskError), retry_backoff=2)",
            """
            try:
                geoprocess(x, y)
            except ServiceError:
                raise
            except Exception as error:
                raise TaskError(error)
            """,
        ),
        "C2-RETRIES-ALL",
    ),
    "another exception is caught": (
        """
        try:
            geoprocess(x, y)
        except ConnectionError as error:
            self.retry(countdown=10, exc=error)
        except Exception as error:
            raise TaskError(f"{type(error).__name__}: {error}")
        """,
        "C2-WRONG-EXCEPTION",
    ),
    "TaskError is caught": (
        """
        try:
            geoprocess(x, y)
        except TaskError as error:
            self.retry(countdown=10, exc=error)
        except Exception as error:
            raise TaskError(f"{type(error).__name__}: {error}")
        """,
        "C2-WRONG-EXCEPTION",
    ),
    "logged and dropped": (
        """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            print("no answer", error)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-DROPPED",
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
    "sent anew": (
        """
        try:
            geoprocess(x, y)
        except ServiceError:
            do_task.apply_async((x, y), countdown=1)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-SENT-ANEW",
    ),
    "caught and raised": (
        """
        try:
            geoprocess(x, y)
        except ServiceError:
            raise
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-NO-RETRY",
    ),
    "max_retries is 0": (
        (
            "@application.task(base=AppBaseTask, bind=True, max_retries=0, soft_time_limit=5)",
            """
            try:
                geoprocess(x, y)
            except ServiceError as error:
                self.retry(countdown=10, exc=error)
            except Exception as error:
                raise TaskError(error)
            """,
        ),
        "C2-MAX-RETRIES",
    ),
    "no retries in the call": (
        """
        try:
            geoprocess(x, y)
        except ServiceError:
            self.retry(countdown=10, max_retries=0)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-MAX-RETRIES",
    ),
    "one retry is too few": (
        (
            "@application.task(base=AppBaseTask, bind=True, max_retries=1, soft_time_limit=5)",
            """
            try:
                geoprocess(x, y)
            except ServiceError as error:
                self.retry(countdown=5, exc=error)
            except Exception as error:
                raise TaskError(error)
            """,
        ),
        "C2-MAX-RETRIES",
    ),
    "the countdown is an hour": (
        """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            self.retry(countdown=3600, exc=error)
        except Exception as error:
            raise TaskError(error)
        """,
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
            "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=1)",
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
        """
        try:
            geoprocess(x, y)
        except ServiceEror as error:
            self.retry(countdown=10, exc=error)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-ERROR-IN-TASK",
    ),
    "the method is misspelt": (
        """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            self.retri(countdown=10, exc=error)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-ERROR-IN-TASK",
    ),
    "retry without self": (
        """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            retry(countdown=10, exc=error)
        except Exception as error:
            raise TaskError(error)
        """,
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
    "raise self.retry": """
        try:
            geoprocess(x, y)
        except ServiceError as exc:
            raise self.retry(exc=exc, countdown=5)
        except Exception as exc:
            raise TaskError(exc)
        """,
    "a growing countdown": """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            self.retry(countdown=2 ** self.request.retries, exc=error)
        except Exception as error:
            raise TaskError(error)
        """,
    "by the task's name": """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            raise do_task.retry(countdown=3, exc=error, max_retries=5)
        except Exception as error:
            raise TaskError(error)
        """,
    "one clause that asks": """
        try:
            geoprocess(x, y)
        except Exception as error:
            if isinstance(error, ServiceError):
                raise self.retry(countdown=5, exc=error)
            raise TaskError(error)
        """,
    "autoretry_for with backoff": (
        "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5, "
        "autoretry_for=(ServiceError,), retry_backoff=2, retry_jitter=False)",
        """
        try:
            geoprocess(x, y)
        except ServiceError:
            raise
        except Exception as error:
            raise TaskError(error)
        """,
    ),
    "autoretry_for alone": (
        "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5, "
        "autoretry_for=(ServiceError,), retry_kwargs={'countdown': 4})",
        "geoprocess(x, y)",
    ),
}

WITHOUT_DELAY = """
    try:
        geoprocess(x, y)
    except ServiceError as error:
        raise self.retry(exc=error)
    except Exception as error:
        raise TaskError(error)
    """


def edited(text: str, answer: str | tuple[str, str]) -> str:
    """Return ``tasks.py`` with another body of ``do_task``, and perhaps another decorator."""
    decorator, body = answer if isinstance(answer, tuple) else (DECORATOR, answer)
    head, _, _ = text.partition("    try:\n        geoprocess")
    assert DECORATOR in head
    return head.replace(DECORATOR, decorator) + indent(dedent(body).strip(), "    ") + "\n"
