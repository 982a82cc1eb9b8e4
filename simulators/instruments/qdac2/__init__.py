"""An emulated QDevil QDAC-II."""
