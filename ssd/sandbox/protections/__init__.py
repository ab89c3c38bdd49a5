"""Ways to confine a process: namespaces, Landlock, a filter of system calls, resource limits."""
