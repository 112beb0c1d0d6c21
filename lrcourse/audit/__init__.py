"""An audit of a run: which rates its updates really used, what is wrong with the wiring, and the fix.

audit = Audit(schedule, steps)         what was meant
audit.attach(optimizer)                PyTorch: note every update
AuditCallback(audit)                   Keras: the same, in `lrcourse.keras`
trainer_callback(audit)                the Trainer of Hugging Face: the same
audit.record(rate, loss=...)           a loop of your own
print(audit.report())                  what was found
read_log(file)                         the same for a log file, as `lrcourse audit FILE` does
"""

from .finding import Finding, Report
from .live import Audit
from .logs import read_log
from .trainer import trainer_callback

__all__ = ["Audit", "Finding", "Report", "read_log", "trainer_callback"]
