/* SPDX-License-Identifier: MIT */
/*
 * threads.c - gotrace threads: how many threads a process has, and in which state each is.
 *
 *	pid 4711 (growth), libgrt, level 1, 9/9 armed; exact: blocked, hand-offs, p99,
 *	  new threads; sampled every 1s: the rest
 *	----------------- threads ------------------ - Ps -- --- Gs --- hand-off thr
 *	all blk sysc hst run spn pol idl lck sys fgn bsy idl all rq net /s   p99 new
 *	102  97    0   0   0   0   1   3   0   1   0   1   1 101  0   0 98  61us   0
 */
#include "session.h"

static bool by_m;

static int run(int argc, char **argv)
{
	const struct verb verb = {
		.name = "threads",
		.report = by_m ? &report_by_m : &report_threads,
		.want = { .kinds = COLD_KINDS,
			  .want_switches = true,
			  .want_names = by_m,
			  .want_waits = true },
	};

	return session_main(&verb, argc, argv);
}

static const struct opt opts[] = {
	SESSION_OPTS,
	{ "by-m", 0, OPT_FLAG, NULL, "a row per M: its state, for how long, in which call", &by_m },
	{ NULL, 0, OPT_FLAG, NULL, NULL, NULL },
};

const struct cmd cmd_threads = {
	.name = "threads",
	.args = SESSION_ARGS,
	.help = "threads by state, a row a second; or a row per M",
	.opts = opts,
	.takes_command = true,
	.run = run,
};
