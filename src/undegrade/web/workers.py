"""Workers as the service sees them: orders wait in line, and a worker that dies or hangs is replaced."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from undegrade.errors import UndegradeError
from undegrade.web.orders import Answer, Order
from undegrade.web.settings import Settings
from undegrade.web.worker import work

START_SECONDS = 120.0  # to load a model
TRIES = 2  # of an order whose worker died
GUESS = 2.0  # seconds for a picture, before any is done
MEMORY_OF_MEAN = 0.9  # how much the mean of the seconds a picture keeps of what it was


class Worker:
    """One process with one model, and the line before it.

    Args:
        model: as for `undegrade.load`; empty for the one that degrades.
        settings: of the service.
        on_death: told why, each time the process ended by itself or was ended.
    """

    def __init__(self, model: str, settings: Settings, on_death: Callable[[str], None]) -> None:
        self.model, self.settings, self.on_death = model, settings, on_death
        self.labels: tuple[str, ...] = ()
        self.deaths = 0
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._lock = threading.Lock()  # around these two: the service asks how the worker is while a thread replaces it
        self._stopped = False
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1)

    @property
    def alive(self) -> bool:
        """Whether the process runs; one that does not is started with the next order."""
        with self._lock:
            return self._process is not None and self._process.is_alive()

    async def carry_out(
        self, order: Order, seconds: float, is_unwanted: Callable[[], Awaitable[bool]] | None = None
    ) -> Answer:
        """The answer to an order, once those before it are done.

        Args:
            order: the picture.
            seconds: for the work, without the waiting; then the process is replaced.
            is_unwanted: asked when it is the order's turn: whether whoever gave it has gone.
        """
        async with self._turn:
            if is_unwanted is not None and await is_unwanted():
                return Answer(status=400, error="the request was cut off")
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._exchange, order, seconds)

    def stop(self) -> None:
        """End the process now, for good."""
        self._stopped = True
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._end()

    def start(self) -> Connection:
        """Load the model, unless it is loaded; orders go through what is returned.

        Raises:
            UndegradeError: it cannot be loaded.
        """
        if self.alive and self._connection is not None:
            return self._connection
        self._end()
        connection = self._spawn()
        try:
            said = connection.recv() if connection.poll(START_SECONDS) else "took too long"
        except (EOFError, OSError):
            said = "its process died"
        if isinstance(said, str):
            self._end()
            raise UndegradeError(f"the model {self.model or 'of degradations'} could not be loaded: {said}")
        self.labels = said
        return connection

    def _spawn(self) -> Connection:
        context = get_context("spawn")  # OpenVINO and PyTorch do not survive a fork
        with self._lock:
            if self._stopped:
                raise UndegradeError("the service is ending")
            self._connection, other = context.Pipe()
            arguments = (other, self.model, self.settings.memory, self.settings.max_pixels)
            self._process = context.Process(target=work, args=arguments, name=f"undegrade {self.model}", daemon=True)
            self._process.start()
            other.close()  # so that its end is noticed
            return self._connection

    def _exchange(self, order: Order, seconds: float) -> Answer:
        for _ in range(TRIES):
            try:
                connection = self.start()
            except UndegradeError as error:
                return Answer(status=503, error=str(error))
            try:
                connection.send(order)
                if not connection.poll(seconds):
                    self._bury("took too long")
                    return Answer(status=504, error=f"the picture took more than {seconds:g} s; send a smaller one")
                answer: Answer = connection.recv()
            except (EOFError, OSError):
                self._bury("died")
                continue
            return answer
        return Answer(
            status=500, error=f"the worker died on this picture, {TRIES} times; it may be damaged, or too large"
        )

    def _bury(self, why: str) -> None:
        self._end()
        self.deaths += 1
        self.on_death(why)

    def _end(self) -> None:
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.join()
                self._process.close()
                self._process = None
            if self._connection is not None:
                self._connection.close()
                self._connection = None


class Busy(Exception):
    """More is at work than the service takes on.

    Args:
        seconds: after which it is worth asking again.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"busy; ask again in {seconds} s")
        self.seconds = seconds


class Line:
    """Counts the pictures that are taken on, and guesses how long they will take.

    Args:
        longest: pictures at once.
    """

    def __init__(self, longest: int) -> None:
        self.longest, self.length, self._mean = longest, 0, GUESS

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place in the line, from the arrival of a picture to its answer.

        Raises:
            Busy: there is none.
        """
        if self.length >= self.longest:
            raise Busy(self.wait)
        self.length += 1
        began, length = time.monotonic(), self.length
        try:
            yield
        finally:
            self.length -= 1
            self._mean += (1 - MEMORY_OF_MEAN) * ((time.monotonic() - began) / length - self._mean)

    @property
    def wait(self) -> int:
        """Seconds after which half of those in line are likely done, at least 1."""
        return max(1, round(self._mean * self.length / 2))
