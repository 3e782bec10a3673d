/* SPDX-License-Identifier: MIT */
/* schema.c - gotrace schema: what a line of `--json` may be, as a JSON Schema. */
#include <stdio.h>
#include <string.h>

#include "../diag.h"
#include "../view/schema.h"
#include "cmd.h"

static void hint_names(void)
{
	char names[256] = "";

	for (int i = 0; schema_name(i); i++) {
		size_t n = strlen(names);

		snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "", schema_name(i));
	}
	diag_hint("there are schemas of: %s", names);
}

static int run(int argc, char **argv)
{
	int code = EXIT_FINE;

	if (argc != 1)
		code = diag_error(EXIT_USAGE, "schema: of which verb?");
	else if (!schema_print(argv[0], stdout))
		code = diag_error(EXIT_USAGE, "no schema of '%s'", argv[0]);
	if (code)
		hint_names();
	return code;
}

const struct cmd cmd_schema = {
	.name = "schema",
	.args = "VERB",
	.help = "the JSON Schema of a verb's --json",
	.run = run,
};
