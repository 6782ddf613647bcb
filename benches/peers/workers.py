"""Several processes that take recordings from one list, longest first."""
import argparse
import json
import multiprocessing
import pathlib
import resource
import sys
import time


def _cpu():
    """CPU seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _work(read, arguments, jobs, next_job, number):
    from parquet import Writer
    writer = Writer(str(arguments.out / f"{number}.parquet"), arguments.codec)
    failed = []
    while True:
        with next_job.get_lock():
            at = next_job.value
            next_job.value += 1
        if at >= len(jobs):
            break
        writer.begin(jobs[at]["item"])
        try:
            read(jobs[at]["path"], writer)
        except Exception as error:
            failed.append(f"{jobs[at]['item']}: {error}")
            continue
        writer.end()
    writer.close()
    (arguments.out / f"{number}.json").write_text(json.dumps(failed))


def main(read):
    """`read(path, writer)` gives a recording's samples to the writer. Imports are done by now."""
    ready, ready_cpu = time.time(), _cpu()
    parser = argparse.ArgumentParser()
    parser.add_argument("--codec", choices=["i16", "flac"], required=True)
    parser.add_argument("--processes", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--jobs", type=pathlib.Path, required=True, help="JSON: a list of {item, path}")
    arguments = parser.parse_args()
    jobs = json.loads(arguments.jobs.read_text())
    fork = multiprocessing.get_context("fork")
    next_job = fork.Value("l", 0)
    processes = [fork.Process(target=_work, args=(read, arguments, jobs, next_job, number))
                 for number in range(arguments.processes)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        sys.exit("a process ended early")
    lists = [json.loads((arguments.out / f"{number}.json").read_text()) for number in range(arguments.processes)]
    print(json.dumps({"ready": ready, "wall": time.time() - ready, "cpu": _cpu() - ready_cpu,
                      "failed": sum(lists, [])}))
