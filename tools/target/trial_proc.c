/* SPDX-License-Identifier: MIT */
/* trial_proc.c - trials of level 0: the memory and the /proc entries of a process. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem.h"
#include "proc.h"
#include "trial.h"

#define CAP(name) (1ull << CAP_##name)
#define MARK 0x6c69746f6e657374ull /* what a copy of us has in its memory */
#define NOBODY 65534

static volatile uint64_t mark;

/* A process that waits until the other end of `hold` is closed. */
struct stranger {
	pid_t pid;
	int hold;
};

static void stranger_live(int report, int hold, uid_t uid)
{
	pid_t pid = getpid();
	char c;

	/* A change of user forbids dumps, which would be the answer to another question. */
	if (uid && (setgid(uid) || setuid(uid) || prctl(PR_SET_DUMPABLE, 1)))
		_exit(1);
	mark = MARK;
	if (write(report, &pid, sizeof(pid)) == sizeof(pid))
		while (read(hold, &c, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}

/*
 * A process that is not our descendant, as targets are not: Yama lets a parent look at its children
 * where it lets nobody else. uid 0: as we are.
 */
static int stranger_make(struct stranger *s, uid_t uid)
{
	int report[2], hold[2], rc = -ESRCH;
	pid_t child;

	if (pipe2(report, O_CLOEXEC) || pipe2(hold, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child == 0) {
		close(hold[1]);
		if (fork() == 0)
			stranger_live(report[1], hold[0], uid);
		_exit(0);
	}
	close(report[1]);
	close(hold[0]);
	s->hold = hold[1];
	if (child < 0)
		rc = -EAGAIN;
	else if (waitpid(child, NULL, 0) == child &&
		 read(report[0], &s->pid, sizeof(s->pid)) == sizeof(s->pid))
		rc = 0;
	close(report[0]);
	if (rc < 0)
		close(s->hold);
	return rc;
}

static void yama_explain(struct trial *t)
{
	char scope[8];

	if (proc_line_read("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof(scope)) == 0 &&
	    strcmp(scope, "0"))
		snprintf(t->change, sizeof(t->change),
			 "kernel.yama.ptrace_scope is %s: set it to 0, or run as root", scope);
}

static void memory_try(struct trial *t, pid_t pid)
{
	uint64_t seen = 0;
	int rc = mem_read(pid, (uintptr_t)&mark, &seen, sizeof(seen));

	if (rc == 0 && seen != MARK)
		rc = -EIO;
	if (rc == 0) {
		trial_works(t, "read from a process that is no child");
		return;
	}
	trial_fails(t, "process_vm_readv", rc, CAP(SYS_PTRACE));
	yama_explain(t);
}

static void syscall_try(struct trial *t, pid_t pid)
{
	char path[32], line[256];
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	rc = proc_line_read(path, line, sizeof(line));
	if (rc == 0) {
		trial_works(t, "read that of a process that is no child");
		return;
	}
	trial_fails(t, "/proc/PID/syscall", rc, CAP(SYS_PTRACE));
	yama_explain(t);
	if (rc == -ENOENT)
		snprintf(t->change, sizeof(t->change), "a kernel with CONFIG_HAVE_ARCH_TRACEHOOK");
}

/* An address that nobody has mapped: EFAULT says that we would have been allowed. */
static int may_read(pid_t pid)
{
	char c;
	int rc = mem_read(pid, 1, &c, 1);

	return rc == -EFAULT ? 0 : rc;
}

static void others_try(struct trial *t)
{
	struct proc_status status;
	struct stranger s = { 0 };
	int rc;

	if (geteuid() == 0 && stranger_make(&s, NOBODY) == 0) {
		rc = may_read(s.pid);
		close(s.hold);
	} else if (proc_status_read(1, &status) == 0 && status.uid != geteuid()) {
		rc = may_read(1);
	} else {
		t->result = TRIAL_UNTRIED;
		snprintf(t->why, sizeof(t->why), "no process of another user to try it on");
		return;
	}
	if (rc == 0)
		trial_works(t, "may read a process of another user");
	else
		trial_fails(t, "process_vm_readv", rc, CAP(SYS_PTRACE));
}

static void mapped_files_try(struct trial *t)
{
	struct proc_maps it;
	struct proc_map map;
	char path[80];
	int fd = -1, rc = -ENOENT;

	if (proc_maps_open(&it, getpid()) == 0) {
		while (rc == -ENOENT && proc_maps_next(&it, &map)) {
			if (!map.inode)
				continue;
			snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIx64 "-%" PRIx64,
				 map.start, map.end);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			rc = fd < 0 ? -errno : 0;
		}
		proc_maps_close(&it);
	}
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		trial_works(t, "opened one of our own through map_files");
	else
		trial_fails(t, "map_files", rc, CAP(CHECKPOINT_RESTORE));
}

void trials_run_proc(struct trial ret[TRIALS])
{
	struct stranger s = { 0 };
	int rc = stranger_make(&s, 0);

	if (rc == 0) {
		memory_try(&ret[TRIAL_MEMORY], s.pid);
		syscall_try(&ret[TRIAL_SYSCALL], s.pid);
		close(s.hold);
	} else {
		trial_fails(&ret[TRIAL_MEMORY], "start of a process to try it on", rc, 0);
		trial_fails(&ret[TRIAL_SYSCALL], "start of a process to try it on", rc, 0);
	}
	others_try(&ret[TRIAL_MEMORY_OTHERS]);
	mapped_files_try(&ret[TRIAL_MAPPED_FILES]);
}
