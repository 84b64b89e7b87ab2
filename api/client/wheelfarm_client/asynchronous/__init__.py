"""The client as it is written: for asyncio and trio. The folder `synchronous` is generated from this one."""
