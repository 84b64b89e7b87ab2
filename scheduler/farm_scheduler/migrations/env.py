"""What Alembic runs around the migrations.

Called by Alembic only, with the connection that `farm_scheduler.schema` opened. It never opens one itself and
has no offline mode.
"""

from alembic import context
from sqlmodel import SQLModel

from farm_scheduler import access_tables as _access_tables  # noqa: F401 - importing it fills the metadata
from farm_scheduler import event_tables as _event_tables  # noqa: F401 - importing it is what fills the metadata
from farm_scheduler import feedback_tables as _feedback_tables  # noqa: F401 - importing it is what fills the metadata
from farm_scheduler import redelivery_tables as _redelivery_tables  # noqa: F401 - importing it fills the metadata
from farm_scheduler import set_tables as _set_tables  # noqa: F401 - importing it is what fills the metadata
from farm_scheduler import tables as _tables  # noqa: F401 - importing it is what fills the metadata
from farm_scheduler import watch_tables as _watch_tables  # noqa: F401 - importing it is what fills the metadata
from farm_scheduler import worker_lives as _worker_lives  # noqa: F401 - importing it is what fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
