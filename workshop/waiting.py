"""How many tasks wait, for those who ask again and again: over one connection, not a new one each time."""

from kombu import Connection

from workshop.delivery.topology import SQUARES


class Waiting:
    """How many tasks wait in the queue `squares`, asked again and again over one connection.

    Parameters
    ----------
    broker_url : str
        The address of RabbitMQ.
    """

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url
        self._connection: Connection | None = None

    def count(self) -> int:
        """Return how many tasks no worker has taken yet.

        Raises
        ------
        OSError, amqp.exceptions.AMQPError, kombu.exceptions.KombuError
            If RabbitMQ does not answer or has no such queue; the next call tries a new connection.
        """
        if self._connection is None:
            options = {"read_timeout": 5, "write_timeout": 5}
            self._connection = Connection(self._url, connect_timeout=3, transport_options=options)
        try:
            with self._connection.channel() as channel:
                return SQUARES(channel).queue_declare(passive=True).message_count
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        """Let go of RabbitMQ."""
        if self._connection:
            self._connection.release()
        self._connection = None
