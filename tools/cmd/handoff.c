/* SPDX-License-Identifier: MIT */
/*
 * handoff.c - gotrace handoff: how Ps that were lost to calls found another M, and how fast.
 *
 *	CALL     BY               n    p50    p90    p99    max
 *	read     sysmon detect   97   31us   52us   81us  1.2ms
 *	                dispatch 97    9us   14us   33us  210us
 *	                total    97   41us   66us  114us  1.3ms
 */
#include "session.h"

static int run(int argc, char **argv)
{
	static const struct verb verb = {
		.name = "handoff",
		.report = &report_handoff,
		.want = { .kinds = COLD_KINDS, .want_switches = true },
		.needs_events = true,
		.is_silent = true,
	};

	return session_main(&verb, argc, argv);
}

static const struct opt opts[] = {
	SESSION_OPTS,
	{ NULL, 0, OPT_FLAG, NULL, NULL, NULL },
};

const struct cmd cmd_handoff = {
	.name = "handoff",
	.args = SESSION_ARGS,
	.help = "how Ps that calls lost found another M, and how fast",
	.opts = opts,
	.takes_command = true,
	.run = run,
};
