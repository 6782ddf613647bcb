"""Runs a command and writes to a pipe: seconds, CPU seconds, peak memory in KiB, exit code.

The peak that the kernel reports of a process is at least that of the process it was started by.
So it is started by this one, which stays at 9 MB, and not by the benchmark.
"""
import os
import sys
import time

pipe = int(sys.argv[1])
os.set_inheritable(pipe, False)
begin = time.perf_counter()
process = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(process, 0)
wall = time.perf_counter() - begin
cpu = usage.ru_utime + usage.ru_stime
os.write(pipe, f"{wall} {cpu} {usage.ru_maxrss} {os.waitstatus_to_exitcode(status)}".encode())
