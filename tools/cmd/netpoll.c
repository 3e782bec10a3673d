/* SPDX-License-Identifier: MIT */
/*
 * netpoll.c - gotrace netpoll: waits of goroutines on descriptors: parked, runnable, running.
 *
 *	----- waiting ----- ----------- waits/s ---------- - parked -- - queued --
 *	goroutines  counter  all idle M scheduler sysmon   p50   p99   p50   p99
 *	      1000     1000  812    780        32      0 1.2ms 9.8ms   4us  12us
 */
#include "session.h"

static int run(int argc, char **argv)
{
	static const struct verb verb = {
		.name = "netpoll",
		.report = &report_netpoll,
		.max_overhead_ppm = SESSION_NETPOLL_PPM,
		.want = {
			/* The cold ones for what every report ends with. */
			.kinds = COLD_KINDS | KIND(netpoll_run),
			.want_goroutines = true,
			.want_names = true,
		},
	};

	return session_main(&verb, argc, argv);
}

static const struct opt opts[] = {
	SESSION_OPTS_OF("1s", SESSION_NETPOLL_SHARE),
	{ NULL, 0, OPT_FLAG, NULL, NULL, NULL },
};

const struct cmd cmd_netpoll = {
	.name = "netpoll",
	.args = SESSION_ARGS,
	.help = "who waits on descriptors, for how long, and who polled",
	.opts = opts,
	.takes_command = true,
	.run = run,
};
