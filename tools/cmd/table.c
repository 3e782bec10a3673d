/* SPDX-License-Identifier: MIT */
/*
 * table.c - the verbs, in the order in which help shows them. Usage, dispatch, "did you mean" and
 * completion come from here; a verb that is not here does not exist.
 */
#include <stddef.h>

#include "cmd.h"

const struct cmd *const cmd_table[] = {
	&cmd_threads, &cmd_blocked, &cmd_growth, &cmd_handoff, &cmd_netpoll,    &cmd_record,
	&cmd_check,   &cmd_probes,  &cmd_doctor, &cmd_schema,  &cmd_completion, NULL,
};
