"""How the recorder's processes log: one line an event on standard error, and plain tracebacks.

Tracebacks that show local variables, which structlog makes where it can, would print addresses with passwords.
"""

import sys

import structlog


def configure_logging() -> None:
    """For the start of a program; libraries only use `structlog.get_logger()`."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
