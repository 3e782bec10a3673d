/* SPDX-License-Identifier: MIT */
/* trial.c - the list of trials, and what to say of one that failed; see trial.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"
#include "trial.h"

static const struct trial trials[TRIALS] = {
	[TRIAL_MEMORY] = { "memory", "memory of your own processes" },
	[TRIAL_MEMORY_OTHERS] = { "memory_others", "memory of other users' processes" },
	[TRIAL_SYSCALL] = { "proc_syscall", "calls of threads, from /proc" },
	[TRIAL_MAPPED_FILES] = { "mapped_files", "files that were replaced while running" },
	[TRIAL_RINGBUF] = { "ring_buffer", "BPF ring buffer" },
	[TRIAL_ITERATOR] = { "task_iterator", "BPF task iterator" },
	[TRIAL_SWITCHES] = { "sched_switch", "BPF on sched_switch" },
	[TRIAL_UPROBE_MULTI] = { "uprobe_multi", "probes by one uprobe_multi link" },
	[TRIAL_UPROBE_PERF] = { "uprobe_perf", "probes through perf events" },
};

static const struct {
	unsigned bit;
	const char *name;
} cap_names[] = {
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE" },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
	{ CAP_PERFMON, "CAP_PERFMON" },
	{ CAP_BPF, "CAP_BPF" },
	{ CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE" },
};

/* A number in /proc/self/status; 0 if the line is not there. */
static uint64_t status_number(const char *name, int base)
{
	uint64_t v = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			v = strtoull(line + strlen(name), NULL, base);
	if (f)
		fclose(f);
	return v;
}

/* " CAP_BPF CAP_PERFMON" */
static void caps_text(uint64_t caps, char *ret, size_t bytes)
{
	size_t n = 0;

	ret[0] = 0;
	for (size_t i = 0; i < sizeof(cap_names) / sizeof(cap_names[0]); i++)
		if (caps >> cap_names[i].bit & 1 && n < bytes)
			n += (size_t)snprintf(ret + n, bytes - n, " %s", cap_names[i].name);
}

static bool file_has(const char *path, const char *word)
{
	char line[256];

	return proc_line_read(path, line, sizeof(line)) == 0 && strstr(line, word);
}

/* All the rights, and refused all the same: who refuses? */
static void explain_refusal(struct trial *t)
{
	unsigned inside, outside, count;
	char map[64];

	if (proc_line_read("/proc/self/uid_map", map, sizeof(map)) == 0 &&
	    sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && count != UINT32_MAX)
		snprintf(t->change, sizeof(t->change),
			 "your rights are those of a user namespace: run it outside");
	else if (file_has("/sys/kernel/security/lockdown", "[confidentiality]"))
		snprintf(t->change, sizeof(t->change),
			 "the kernel is locked down (confidentiality): boot it without");
	else if (status_number("Seccomp:", 10))
		snprintf(t->change, sizeof(t->change),
			 "this program runs under a seccomp filter: run it without");
}

void trial_works(struct trial *t, const char *why)
{
	t->result = TRIAL_YES;
	snprintf(t->why, sizeof(t->why), "%s", why);
}

void trial_fails(struct trial *t, const char *step, int error, unsigned long long caps)
{
	uint64_t lacking = caps & ~status_number("CapEff:", 16);
	char text[96];
	bool denied = error == -EPERM || error == -EACCES;

	t->result = TRIAL_NO;
	t->change[0] = 0;
	snprintf(t->why, sizeof(t->why), "%s: %s", step,
		 denied ? "permission denied" : strerror(-error));
	if (!denied)
		return;
	if (!lacking) {
		explain_refusal(t);
		return;
	}
	caps_text(lacking, text, sizeof(text));
	snprintf(t->change, sizeof(t->change), "run as root, or with%s", text);
}

void trials_run(struct trial ret[TRIALS])
{
	memcpy(ret, trials, sizeof(trials));
	trials_run_proc(ret);
	trials_run_bpf(ret);
}

int trials_level(const struct trial t[TRIALS])
{
	if (t[TRIAL_MEMORY].result != TRIAL_YES)
		return -1;
	if (t[TRIAL_ITERATOR].result != TRIAL_YES || t[TRIAL_RINGBUF].result != TRIAL_YES)
		return 0;
	if (t[TRIAL_UPROBE_MULTI].result == TRIAL_YES)
		return 1;
	return t[TRIAL_UPROBE_PERF].result == TRIAL_YES ? 2 : 1;
}
