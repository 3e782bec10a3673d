/* SPDX-License-Identifier: MIT */
/*
 * identity.c - see identity.h. Order matters: a process that /proc does not show may be hidden, a
 * thread has entries in /proc like a process, and a leader that is a zombie may have live threads.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "identity.h"
#include "proc.h"

#define CAP_SYS_PTRACE_BIT 19

static bool has_cap_sys_ptrace(void)
{
	uint64_t caps = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %" SCNx64, &caps) == 1)
			break;
	if (f)
		fclose(f);
	return (caps >> CAP_SYS_PTRACE_BIT & 1) != 0;
}

/* "uid 0 (root)" */
static void user_name(uid_t uid, char *ret, size_t bytes)
{
	struct passwd *pw = getpwuid(uid);

	snprintf(ret, bytes, pw ? "uid %u (%s)" : "uid %u", uid, pw ? pw->pw_name : "");
}

/* Why may we not? Only what was just found to be so is said. */
static void hint_permission(const struct target *t)
{
	struct proc_status status;
	char dir[32], user[64], scope[8];
	struct stat st;

	snprintf(dir, sizeof(dir), "/proc/%d", t->pid);
	if (proc_status_read(t->pid, &status) < 0)
		return;
	if (geteuid() == 0 && !has_cap_sys_ptrace()) {
		diag_hint("gotrace runs as root but without CAP_SYS_PTRACE");
	} else if (status.uid != geteuid()) {
		user_name(status.uid, user, sizeof(user));
		diag_hint("it belongs to %s; run gotrace as that user or as root", user);
	} else if (stat(dir, &st) == 0 && st.st_uid != status.euid) {
		/* The kernel gives the entries of a process without dumps to root. */
		diag_hint("it has forbidden dumps of its memory, or was started with more rights "
			  "than its user has; run gotrace as root");
	} else if (proc_line_read("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof(scope)) ==
			   0 &&
		   strcmp(scope, "0") && !has_cap_sys_ptrace()) {
		diag_hint("kernel.yama.ptrace_scope is %s; run gotrace as root, or set it to 0",
			  scope);
	}
}

enum exit_code identity_refused(const struct target *t, const char *what, int error)
{
	bool denied = error == -EACCES || error == -EPERM, has_ended = target_is_ending(t);

	if (error == -ESRCH || error == -ENOENT || has_ended)
		return diag_error(EXIT_NO_TARGET, "%s pid %d (%s): it has just %s", what, t->pid,
				  t->comm, has_ended ? "ended" : "started another program");
	diag_error(denied ? EXIT_NOT_PERMITTED : EXIT_SYSTEM, "%s pid %d (%s): %s", what, t->pid,
		   t->comm, denied ? "permission denied" : strerror(-error));
	if (denied)
		hint_permission(t);
	return denied ? EXIT_NOT_PERMITTED : EXIT_SYSTEM;
}

/* There is no /proc/PID. That the kernel still answers a signal tells hidden from absent. */
static enum exit_code refuse_unseen(pid_t pid)
{
	char word[32];

	if (kill(pid, 0) < 0 && errno == ESRCH)
		return diag_error(EXIT_NO_TARGET, "cannot open pid %d: no such process", pid);
	if (!proc_hides(word, sizeof(word)))
		return diag_error(EXIT_NO_TARGET, "cannot open pid %d: it is not in /proc", pid);
	diag_error(EXIT_NOT_PERMITTED,
		   "cannot open pid %d: permission denied: it exists, and /proc "
		   "hides it (hidepid=%s)",
		   pid, word);
	diag_hint("/proc shows it to its own user and to root");
	return EXIT_NOT_PERMITTED;
}

/* /proc/PID is there, its contents are not for us (hidepid=1). */
static enum exit_code refuse_unreadable(pid_t pid, int error)
{
	char word[32];

	if (error == -ENOENT || error == -ESRCH)
		return refuse_unseen(pid);
	if (error != -EACCES && error != -EPERM)
		return diag_error(EXIT_SYSTEM, "cannot read /proc/%d/stat: %s", pid,
				  strerror(-error));
	diag_error(EXIT_NOT_PERMITTED, "cannot open pid %d: permission denied", pid);
	if (proc_hides(word, sizeof(word)))
		diag_hint("/proc is mounted with hidepid=%s, which keeps its contents to its own "
			  "user and to root",
			  word);
	return EXIT_NOT_PERMITTED;
}

static enum exit_code refuse_zombie(const struct target *t, const struct proc_stat *stat)
{
	return diag_error(EXIT_NO_TARGET,
			  "cannot open pid %d (%s): it is a zombie: it has exited, "
			  "and its parent, pid %d, has not collected it yet",
			  t->pid, t->comm, stat->ppid);
}

static enum exit_code refuse_thread(const struct target *t, pid_t leader)
{
	diag_error(EXIT_NO_TARGET,
		   "cannot open pid %d (%s): it is a thread of process %d, not a "
		   "process",
		   t->pid, t->comm, leader);
	diag_hint("give the process: %d", leader);
	return EXIT_NO_TARGET;
}

enum exit_code identity_open(struct target *t, pid_t pid)
{
	struct proc_status status = { 0 };
	struct proc_stat stat = { 0 };
	int rc;

	t->pid = pid;
	if (!proc_is_ours())
		return diag_error(EXIT_SYSTEM,
				  "cannot open pid %d: /proc is not that of this pid "
				  "namespace",
				  pid);
	/* Before the rest: whatever is read afterwards is checked to be of the process it holds. */
	t->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	rc = proc_stat_read(pid, &stat);
	if (rc == 0)
		rc = proc_status_read(pid, &status);
	if (rc < 0)
		return refuse_unreadable(pid, rc);
	snprintf(t->comm, sizeof(t->comm), "%s", stat.comm);
	if (status.tgid != pid)
		return refuse_thread(t, status.tgid);
	if (proc_stat_is_kernel_thread(&stat))
		return diag_error(EXIT_NO_TARGET, "cannot open pid %d (%s): it is a kernel thread",
				  pid, t->comm);
	t->via_tid = pid;
	if (proc_stat_is_dead(&stat)) {
		t->via_tid = proc_live_thread(pid);
		if (!t->via_tid)
			return refuse_zombie(t, &stat);
		t->is_leader_gone = true;
	}
	t->start_time_ns = stat.start_ns;
	if (t->is_leader_gone && proc_stat_read(t->via_tid, &stat) < 0)
		return refuse_unseen(pid);
	t->is_stopped = stat.state == 'T' || stat.state == 't';
	t->ns_level = status.ns_level;
	t->ns_pid = status.ns_pid;
	return EXIT_FINE;
}
