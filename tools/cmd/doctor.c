/* SPDX-License-Identifier: MIT */
/*
 * doctor.c - gotrace doctor: what this machine and this user may do, decided by trying.
 *
 *   yes  BPF task iterator: walked over the threads of this program
 *   no   probes through perf events: perf_event_open: permission denied, without CAP_SYS_ADMIN
 *        change: run as root, or with CAP_SYS_ADMIN
 *   level 1: memory, the kernel's view and probes: all columns, exact
 */
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../diag.h"
#include "../json.h"
#include "../target/trial.h"
#include "cmd.h"

static bool as_json;

static const struct opt opts[] = {
	{ "json", 0, OPT_FLAG, NULL, "one JSON object", &as_json },
	{ 0 },
};

static const char *const result_words[] = {
	[TRIAL_NO] = "no",
	[TRIAL_YES] = "yes",
	[TRIAL_UNTRIED] = "?",
};

static bool has_probes(const struct trial *t)
{
	return t[TRIAL_UPROBE_MULTI].result == TRIAL_YES ||
	       t[TRIAL_UPROBE_PERF].result == TRIAL_YES;
}

static const char *level_text(int level, const struct trial *t)
{
	if (level < 0)
		return "gotrace cannot run: it may not read the memory of processes";
	if (level == 0)
		return "memory and /proc: what happens between two samples is not seen";
	if (!has_probes(t))
		return "memory and the kernel's view, no probes: hand-offs are only counted";
	return level == 1 ? "memory, the kernel's view and probes: all columns, exact"
			  : "the same with probes one by one: attach and detach take seconds";
}

static void text_print(const struct trial *t, int level, const struct utsname *u)
{
	printf("%s %s, uid %u\n", u->sysname, u->release, geteuid());
	for (int i = 0; i < TRIALS; i++) {
		printf("%-4s %s: %s\n", result_words[t[i].result], t[i].what, t[i].why);
		if (t[i].change[0])
			printf("     change: %s\n", t[i].change);
	}
	if (level < 0)
		printf("%s\n", level_text(level, t));
	else
		printf("level %d: %s\n", level, level_text(level, t));
}

static void json_print(const struct trial *t, int level, const struct utsname *u)
{
	struct json j;

	json_init(&j, stdout);
	json_open(&j, NULL, '{');
	json_text(&j, "kernel", u->release);
	json_uint(&j, "uid", geteuid());
	json_open(&j, "trials", '[');
	for (int i = 0; i < TRIALS; i++) {
		json_open(&j, NULL, '{');
		json_text(&j, "name", t[i].key);
		json_text(&j, "what", t[i].what);
		if (t[i].result == TRIAL_UNTRIED)
			json_null(&j, "works");
		else
			json_bool(&j, "works", t[i].result == TRIAL_YES);
		json_text(&j, "why", t[i].why);
		json_text(&j, "change", t[i].change[0] ? t[i].change : NULL);
		json_close(&j);
	}
	json_close(&j);
	if (level < 0)
		json_null(&j, "level");
	else
		json_int(&j, "level", level);
	json_text(&j, "meaning", level_text(level, t));
	json_close(&j);
}

static int run(int argc, char **argv)
{
	struct trial t[TRIALS];
	struct utsname u;
	int level;

	if (argc != 0)
		return diag_error(EXIT_USAGE, "doctor: wants no arguments, has '%s'", argv[0]);
	uname(&u);
	trials_run(t);
	level = trials_level(t);
	if (as_json)
		json_print(t, level, &u);
	else
		text_print(t, level, &u);
	return level < 0 ? EXIT_NOT_PERMITTED : EXIT_FINE;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.args = "",
	.help = "what this machine and user may do, and what to change",
	.opts = opts,
	.run = run,
};
