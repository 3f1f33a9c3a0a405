"""What other processes tell through the database, heard over its absence and its change of place."""

from collections.abc import AsyncGenerator

from psycopg import sql

from core.errors import UnavailableError
from storage.connect import LOOK_EVERY_S, connect_async, reachable


async def notices(database_url: str, channel: str, *, application_name: str) -> AsyncGenerator[str | None, None]:
    """Yield None as soon as every notice from then on will be heard, then the notices of a channel.

    Parameters
    ----------
    database_url : str
        Straight to a server: a pooler in transaction mode would not keep listening.
    channel, application_name : str

    Raises
    ------
    UnavailableError
        If the database is away, goes away or does not take writes any more; notices in between are lost.
    """
    connection = await connect_async(database_url, application_name=application_name)
    async with connection:
        with reachable():
            await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
            yield None
            while True:
                async for note in connection.notifies(timeout=LOOK_EVERY_S):
                    yield note.payload
                asked = await connection.execute("select current_setting('transaction_read_only') = 'on'")
                if await asked.fetchone() == (True,):
                    raise UnavailableError("This database does not take writes any more.", hint="Another one may.")
