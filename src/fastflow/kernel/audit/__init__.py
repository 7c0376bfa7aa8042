"""The audit log: who changed what, when and from where. Rows are written in the transaction of the change itself."""

from fastflow.kernel.audit.infra.chain import record

__all__ = ["record"]
