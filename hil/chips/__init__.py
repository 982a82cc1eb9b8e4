"""From a bench file's chip to its driver on the open instruments, for each kind of chip."""
