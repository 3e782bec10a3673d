/* SPDX-License-Identifier: MIT */
/* rights.h - setups of a child: its own namespaces, another user, a few capabilities. */
#ifndef TESTS_RIGHTS_H
#define TESTS_RIGHTS_H

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "e2e.h"

/* A mount namespace whose changes nobody else sees. */
static inline bool mounts_own(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* Goes on in a new child, and ends as that does: a new pid namespace holds children only. */
static inline bool child_go_on(void)
{
	int status;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pid = fork();
	if (pid > 0) {
		close_range(3, ~0u, 0); /* we never exec: let go of what waits for that */
		waitpid(pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid == 0;
}

/* New pid and mount namespaces with a /proc of their own; goes on as pid 1 in there. */
static inline bool namespaces_own(void)
{
	return mounts_own() && unshare(CLONE_NEWPID) == 0 && child_go_on() &&
	       mount("proc", "/proc", "proc", 0, NULL) == 0;
}

/* The same pid namespace, and a /proc that is not of it. */
static inline bool namespaces_own_without_proc(void)
{
	return namespaces_own() && umount2("/proc", MNT_DETACH) == 0;
}

/* Into the pid and mount namespaces of this process. */
static pid_t namespaces_of;
static inline bool namespaces_join(void)
{
	static const char *const kind[] = { "pid", "mnt" };
	int fd[2];

	for (int i = 0; i < 2; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", namespaces_of, kind[i]);
		fd[i] = open(path, O_RDONLY | O_CLOEXEC);
	}
	return setns(fd[0], 0) == 0 && setns(fd[1], 0) == 0 && child_go_on();
}

/* Call first: skips where namespaces cannot be made. */
static inline void namespaces_need(void)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		e2e_skip("not root");
	pid = fork();
	if (pid == 0)
		_exit(namespaces_own() ? 0 : 1);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		e2e_skip("no namespaces of one's own here (CAP_SYS_ADMIN is needed)");
}

/* The first child of a process: what runs in the namespaces that it made. */
static inline pid_t child_of(pid_t pid)
{
	char path[64], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	if (fd >= 0)
		close(fd);
	return (pid_t)atoi(text);
}

/* Another user, with CAP_BPF and CAP_PERFMON and nothing else. */
static inline bool as_nobody_with_bpf(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	data[1].permitted = 1u << (CAP_BPF - 32) | 1u << (CAP_PERFMON - 32);
	data[1].effective = data[1].inheritable = data[1].permitted;
	return !prctl(PR_SET_KEEPCAPS, 1) && e2e_as_nobody() && !syscall(SYS_capset, &head, data) &&
	       !prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_BPF, 0, 0) &&
	       !prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_PERFMON, 0, 0);
}

#endif
