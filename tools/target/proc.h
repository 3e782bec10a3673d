/* SPDX-License-Identifier: MIT */
/*
 * proc.h - what /proc says of a process, as structs. Says nothing to the user; errors are -errno.
 * "pid" may be any thread id: /proc/TID exists although no listing shows it.
 */
#ifndef GOTRACE_PROC_H
#define GOTRACE_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct proc_stat {
	char comm[32];
	char state; /* R S D T t Z X I */
	pid_t ppid;
	uint64_t flags;    /* PF_* */
	uint64_t start_ns; /* since boot */
};

struct proc_status {
	pid_t tgid;
	uid_t uid, euid;
	int ns_level;   /* pid namespaces below the one of this /proc */
	pid_t ns_pid;   /* pid in the innermost one */
	bool is_killed; /* a SIGKILL is on its way to this thread */
};

struct proc_map {
	uint64_t start, end, off;
	uint64_t inode;
	char perms[5]; /* "r-xp" */
	char path[4096];
};

/* Iterates /proc/PID/maps: open, next until false, close. */
struct proc_maps {
	FILE *file;
	char *line;
	size_t cap;
};

int proc_stat_read(pid_t pid, struct proc_stat *ret);
int proc_status_read(pid_t pid, struct proc_status *ret);
bool proc_stat_is_kernel_thread(const struct proc_stat *s);
bool proc_stat_is_dead(const struct proc_stat *s);
/* On its way out: its memory may be gone already. */
bool proc_stat_is_exiting(const struct proc_stat *s);
/* A thread of pid that is not dead; 0 if there is none. */
pid_t proc_live_thread(pid_t pid);

int proc_maps_open(struct proc_maps *m, pid_t pid);
bool proc_maps_next(struct proc_maps *m, struct proc_map *ret);
void proc_maps_close(struct proc_maps *m);

/* Does this /proc number processes as we do? Not in a pid namespace without a mount of its own. */
bool proc_is_ours(void);
/* The hidepid= word of this /proc ("2", "invisible", ...); false if it hides nothing. */
bool proc_hides(char *ret_word, size_t bytes);
/* Names that others chose go to terminals: control characters become '?'. */
void proc_text_tame(char *text);
/*
 * A file that one read returns whole, ended with 0; path is relative to dir, or to where we are with
 * AT_FDCWD. Its length, or -errno.
 */
ssize_t proc_small_read(int dir, const char *path, char *ret, size_t bytes);
/* The first line of a file of one line, without its newline. */
int proc_line_read(const char *path, char *ret, size_t bytes);

#endif
