"""A dashboard that can neither stop nor slow a run."""

import importlib
import queue
import threading

from dnajax.workdir import writer

CLOSE_SECONDS = 20.0  # that the end of a run waits for what was not sent yet
_MOST_WAITING = 1_000  # rows; who is that late has stopped working


class Background(writer.Writer):
  """Hands a dashboard its rows in a thread of its own.

  Whatever the dashboard raises, and if it takes nothing any more: that is said once,
  when the run next reports, and from then on it is left alone.
  """
  draws = True

  def __init__(self, name, package, make, sent, *, say, close_seconds=CLOSE_SECONDS):
    """name: for people. package: that it imports. make: () -> dashboard.Dashboard. sent:
    dashboard.Sent. say: called with a line. close_seconds: that `close` waits at most."""
    self._name, self._make, self._sent, self._say = name, make, sent, say
    self._close_seconds = close_seconds
    self._failure, self._is_said = None, False
    self._waiting = queue.Queue(_MOST_WAITING)
    # A daemon: the process ends even if the dashboard hangs.
    self._thread = threading.Thread(target=self._work, name=name, daemon=True)
    try:
      # Not in the thread: some parse their own source at import, and of Python 3.11 two
      # threads that parse at once may get a SystemError, which might be the run's.
      importlib.import_module(package)
    except (Exception, SystemExit) as error:
      self._failure = _in_words(error)
    else:
      self._thread.start()

  def write(self, step, metrics):
    """Puts the values in the queue."""
    self._put(("write", step, {metric.name: float(metric.value) for metric in metrics}))

  def draw(self, step, images):
    """Puts pictures in the queue."""
    self._put(("draw", step, images))

  def close(self):
    """Waits a little for what is in the queue, and says it if some of that is lost."""
    self._put(None)
    if self._failure is None:
      self._thread.join(self._close_seconds)
      if self._thread.is_alive():
        self._failure = f"did not finish within {self._close_seconds:g} s"
    self._say_failure()

  def _put(self, item):
    if self._failure is None:
      try:
        self._waiting.put_nowait(item)
      except queue.Full:
        self._failure = f"takes nothing any more, {_MOST_WAITING:,} rows wait for it"
    self._say_failure()

  def _say_failure(self):
    if self._failure is not None and not self._is_said:
      self._is_said = True
      self._say(f"warning: dashboard {self._name}: {self._failure}. "
                "The run goes on without it; metrics.jsonl has all values.")

  def _work(self):
    try:
      made = self._make()
      self._sent.save()  # the id, for those who resume
      while (item := self._waiting.get()) is not None and self._failure is None:
        method, step, values = item
        values = self._sent.new(step, values)
        if values:
          getattr(made, method)(step, values)
          self._sent.add(step, values)
      made.close()
    except (Exception, SystemExit) as error:  # some libraries exit: the thread only
      self._failure = _in_words(error)


def _in_words(error):
  text = " ".join(str(error).split())[:300].rstrip(".")
  return f"{type(error).__name__}: {text}" if text else type(error).__name__
