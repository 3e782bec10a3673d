/* SPDX-License-Identifier: MIT */
/*
 * cmd.h - a verb is one file with one const struct cmd; the table in table.c lists them. Usage,
 * dispatch and completion come from it.
 */
#ifndef GOTRACE_CMD_H
#define GOTRACE_CMD_H

#include <stdbool.h>
#include <stddef.h>

enum opt_type {
	OPT_FLAG,
	OPT_UINT,
	OPT_DURATION, /* "1s", "200ms" -> int64 ns */
	OPT_PERCENT,  /* "1%", "0.5%" -> uint32 in 1/1000000 */
	OPT_SIZE,     /* "64M", "65536" -> uint64 bytes */
	OPT_TEXT,
	OPT_TEXTS /* may be given more than once */
};

#define OPT_TEXTS_MAX 64
struct opt_texts {
	const char *text[OPT_TEXTS_MAX];
	size_t n;
};

struct opt {
	const char *long_name; /* "interval" */
	char short_name;       /* 'i' or 0 */
	enum opt_type type;
	const char *arg_name; /* "TIME", "FILE", "text|json"; NULL for flags */
	const char *help;
	void *value; /* bool *, unsigned long *, int64_t *, uint32_t *, uint64_t *, const char **, opt_texts * */
};

struct cmd {
	const char *name;
	const char *args;                  /* "PID | FILE | -- COMMAND...", "bash|zsh" */
	const char *help;                  /* one line */
	const struct opt *opts;            /* ends with long_name NULL */
	bool takes_command;                /* what follows -- is a command to start */
	int (*run)(int argc, char **argv); /* operands after options; returns an exit code */
};

extern const struct cmd cmd_threads, cmd_probes, cmd_doctor, cmd_schema, cmd_handoff, cmd_netpoll;
extern const struct cmd cmd_blocked, cmd_growth, cmd_record, cmd_check, cmd_completion;
extern const struct cmd *const cmd_table[]; /* ends with NULL */

/*
 * Parse options of a verb in place; returns the index of the first operand, or -EXIT_USAGE after
 * diag_error. argv[0] is the verb. Options may stand after operands: argv is reordered. A "--" ends
 * the options; for a verb that takes a command it stays, in front of the command, so the verb can
 * tell "PID" from "-- COMMAND". Names may be abbreviated while unambiguous. A duration is a number
 * with a unit (ns us ms s m h; seconds if none) and more than 0; a size one of bytes, or KiB, MiB, GiB,
 * TiB (K M G T), and more than 0.
 */
int opt_parse(const struct cmd *c, int argc, char **argv);
void opt_usage(const struct cmd *c, void *out_file);
/* "4711" -> pid; 0 after diag_error(EXIT_USAGE). */
int opt_pid(const char *text);

#endif
