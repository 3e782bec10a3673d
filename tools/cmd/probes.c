/* SPDX-License-Identifier: MIT */
/*
 * probes.c - gotrace probes PID|FILE: the catalogue of probes, and where they are.
 *
 *   libgrt in ./growth, pid 4711 (growth): 25 of 25 probes, 9 armed
 *   PROBE             TEMP SITE           SEM ARMED ARGUMENTS
 *   m_new             cold 0x55e04c1f2e84   1 yes   m,for_p,cause
 *
 * A probe is armed if its site holds a breakpoint, read back from the target's memory; SEM is the
 * semaphore that the target tests: 1 for all tracers together (the kernel arms a site once, however
 * many share it), and 1 more for a sink in the process. A file has neither.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../diag.h"
#include "../json.h"
#include "../target/target.h"
#include "cmd.h"

static bool as_json;

static const struct opt opts[] = {
	{ "json", 0, OPT_FLAG, NULL, "one JSON object", &as_json },
	{ 0 },
};

/* What only a running process has, by index of the site. */
struct live {
	uint64_t armed; /* bitmap */
	int narmed;
	uint16_t semaphore[TARGET_SITES_MAX];
};

static int live_read(const struct target *t, struct live *ret)
{
	struct target_read r[TARGET_SITES_MAX];
	int n = 0;

	memset(ret, 0, sizeof(*ret));
	if (!t->pid)
		return 0;
	for (int i = 0; i < t->nsites; i++)
		if (t->site[i].sem_addr)
			r[n++] = (struct target_read){ t->site[i].sem_addr, &ret->semaphore[i],
						       sizeof(ret->semaphore[i]) };
	n = target_read_many(t, r, n);
	if (n < 0)
		return n;
	ret->narmed = target_read_armed(t, &ret->armed);
	return ret->narmed < 0 ? ret->narmed : 0;
}

/* How many of the catalogue's probes have a site. */
static int probes_present(const struct target *t)
{
	int n = 0;

	for (int i = 0; i < t->nsites; i++)
		n += i == 0 || t->site[i].desc != t->site[i - 1].desc;
	return n;
}

/* "(m, for_p, cause)" -> "m,for_p,cause" */
static void args_brief(const char *args, char *ret)
{
	for (; *args; args++)
		if (!strchr("() ", *args))
			*ret++ = *args;
	*ret = 0;
}

static void row_print(const struct target *t, const struct live *l, const struct probe_desc *d,
		      int i)
{
	const struct probe_site *s = i < 0 ? NULL : &t->site[i];
	char args[128], sem[24] = "-";

	args_brief(d->args, args);
	printf("%-17s %-4s ", d->name, d->temperature);
	if (s)
		printf("0x%-12" PRIx64 " ", s->addr);
	else
		printf("%-14s ", "none");
	if (!t->pid) {
		if (s && s->sem_addr)
			snprintf(sem, sizeof(sem), "0x%" PRIx64, s->sem_addr);
		printf("%-10s %s\n", sem, args);
		return;
	}
	if (s && s->sem_addr)
		snprintf(sem, sizeof(sem), "%u", l->semaphore[i]);
	printf("%3s %-5s %s\n", sem, !s ? "-" : l->armed >> i & 1 ? "yes" : "no", args);
}

/* One row a site; a probe without a site has a row that says so. */
static void table_print(const struct target *t, const struct live *l)
{
	printf("libgrt in %s", t->module.path);
	if (t->pid)
		printf("%s, pid %d (%s)", t->module.is_replaced ? " (replaced on disk since)" : "",
		       t->pid, t->comm);
	printf(": %d of %d probes", probes_present(t), probe_table_len);
	if (t->pid)
		printf(", %d armed", l->narmed);
	printf("\n%-17s %-4s %-14s %s\n", "PROBE", "TEMP", "SITE",
	       t->pid ? "SEM ARMED ARGUMENTS" : "SEMAPHORE  ARGUMENTS");
	for (int d = 0; d < probe_table_len; d++) {
		bool any = false;

		for (int i = 0; i < t->nsites; i++) {
			if (t->site[i].desc != &probe_table[d])
				continue;
			row_print(t, l, &probe_table[d], i);
			any = true;
		}
		if (!any)
			row_print(t, l, &probe_table[d], -1);
	}
}

static void site_json(struct json *j, const struct target *t, const struct live *l, int i)
{
	const struct probe_site *s = &t->site[i];

	json_open(j, NULL, '{');
	json_uint(j, "address", s->addr);
	json_uint(j, "file_offset", s->file_off);
	if (s->sem_addr)
		json_uint(j, "semaphore_address", s->sem_addr);
	if (t->pid && s->sem_addr)
		json_uint(j, "semaphore", l->semaphore[i]);
	if (t->pid)
		json_bool(j, "armed", l->armed >> i & 1);
	json_close(j);
}

static void args_json(struct json *j, const char *args)
{
	char brief[128], *save = NULL;

	args_brief(args, brief);
	json_open(j, "arguments", '[');
	for (char *a = strtok_r(brief, ",", &save); a; a = strtok_r(NULL, ",", &save))
		json_text(j, NULL, a);
	json_close(j);
}

static void json_print(const struct target *t, const struct live *l)
{
	struct json j;

	json_init(&j, stdout);
	json_open(&j, NULL, '{');
	json_text(&j, "module", t->module.path);
	if (t->pid) {
		json_int(&j, "pid", t->pid);
		json_text(&j, "comm", t->comm);
		json_bool(&j, "replaced_on_disk", t->module.is_replaced);
		json_int(&j, "armed", l->narmed);
	}
	json_open(&j, "probes", '[');
	for (int d = 0; d < probe_table_len; d++) {
		json_open(&j, NULL, '{');
		json_text(&j, "name", probe_table[d].name);
		json_uint(&j, "kind", probe_table[d].kind);
		json_text(&j, "temperature", probe_table[d].temperature);
		args_json(&j, probe_table[d].args);
		json_text(&j, "when", probe_table[d].doc);
		json_open(&j, "sites", '[');
		for (int i = 0; i < t->nsites; i++)
			if (t->site[i].desc == &probe_table[d])
				site_json(&j, t, l, i);
		json_close(&j);
		json_close(&j);
	}
	json_close(&j);
	json_close(&j);
}

/* All digits is a pid; a file of that name is "./4711". */
static struct target *operand_open(const char *operand, int *ret_code)
{
	int pid;

	if (operand[strspn(operand, "0123456789")] || !*operand)
		return target_open_file(operand, ret_code);
	pid = opt_pid(operand);
	*ret_code = EXIT_USAGE;
	return pid ? target_open(pid, ret_code) : NULL;
}

static int run(int argc, char **argv)
{
	struct target *t;
	struct live live;
	int code, rc;

	if (argc != 1)
		return diag_error(EXIT_USAGE, "probes: want one PID or FILE, have %d", argc);
	t = operand_open(argv[0], &code);
	if (!t)
		return code;
	rc = live_read(t, &live);
	if (rc < 0)
		code = diag_error(rc == -ESRCH ? EXIT_NO_TARGET : EXIT_SYSTEM,
				  "cannot read the probes of pid %d: %s", t->pid,
				  rc == -ESRCH ? "it has just ended" : strerror(-rc));
	else if (as_json)
		json_print(t, &live);
	else
		table_print(t, &live);
	target_close(t);
	return code;
}

const struct cmd cmd_probes = {
	.name = "probes",
	.args = "PID|FILE",
	.help = "the probes of a program, and whether they are armed",
	.opts = opts,
	.run = run,
};
