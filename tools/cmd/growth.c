/* SPDX-License-Identifier: MIT */
/*
 * growth.c - gotrace growth: why each thread exists.
 *
 *	88 threads made: 79 % fsync(/data/wal) ← wal_sync wal.c:41, 12 % flock(/run/x.lock)
 *	SHARE  MADE  NOW  CAUSE
 *	 79 %    70   69  fsync(/data/wal) ← wal_sync wal.c:41
 */
#include <errno.h>
#include <string.h>

#include "../diag.h"
#include "../view/growth_view.h"
#include "session.h"

static const char *pprof_path;

static int run(int argc, char **argv)
{
	bool has_failed = false;
	struct growth_opts o = { .ret_pprof_failed = &has_failed };
	const struct verb verb = {
		.name = "growth",
		.report = &report_growth,
		.report_opts = &o,
		.want = { .kinds = COLD_KINDS,
			  .want_switches = true,
			  .want_names = true,
			  .want_stacks = true,
			  .want_limits = true },
	};
	int code;

	/* Before anything is watched: who names a place that is not there shall know at once. */
	if (pprof_path) {
		o.pprof = fopen(pprof_path, "we");
		if (!o.pprof)
			return diag_error(EXIT_SYSTEM, "cannot write the profile: %s: %s",
					  pprof_path, strerror(errno));
	}
	code = session_main(&verb, argc, argv);
	if (!o.pprof)
		return code;
	if ((fclose(o.pprof) || has_failed) && code == EXIT_FINE)
		code = diag_error(EXIT_SYSTEM, "cannot write the profile: %s: %s", pprof_path,
				  strerror(errno));
	return code;
}

static const struct opt opts[] = {
	SESSION_OPTS,
	{ "pprof", 0, OPT_TEXT, "FILE", "at the end: threads by stack, for go tool pprof",
	  &pprof_path },
	{ NULL, 0, OPT_FLAG, NULL, NULL, NULL },
};

const struct cmd cmd_growth = {
	.name = "growth",
	.args = SESSION_ARGS,
	.help = "why each thread exists, and when a limit is reached",
	.opts = opts,
	.takes_command = true,
	.run = run,
};
