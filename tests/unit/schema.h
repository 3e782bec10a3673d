/* SPDX-License-Identifier: MIT */
/*
 * schema.h - judges JSON lines by a schema as `gotrace schema` prints it, with python3-jsonschema: a
 * judge that we did not write. For tests of views and of the real tool.
 */
#ifndef TEST_SCHEMA_H
#define TEST_SCHEMA_H

#include <fcntl.h>
#include <sys/wait.h>

#include "tree.h"

static const char schema_script[] =
	"import json, sys\n"
	"import jsonschema\n"
	"text = open(sys.argv[1]).read()\n"
	"schema = json.loads(text)\n"
	"validator = jsonschema.Draft202012Validator(schema)\n"
	"validator.check_schema(schema)\n"
	"bad = n = 0\n"
	"for line in sys.stdin:\n"
	"    n += 1\n"
	"    def once(pairs):\n"
	"        assert len(dict(pairs)) == len(pairs), 'a member comes twice'\n"
	"        return dict(pairs)\n"
	"    for e in validator.iter_errors(json.loads(line, object_pairs_hook=once)):\n"
	"        bad = 1\n"
	"        print(line, e.message, [c.message for c in e.context], file=sys.stderr)\n"
	"sys.exit(1 if bad or n == 0 else 0)\n";

static inline int schema_python(const char *script, const char *arg, const char *in_path)
{
	int status, fd;
	pid_t pid = fork();

	if (pid == 0) {
		fd = open(in_path, O_RDONLY);
		if (fd < 0 || dup2(fd, 0) < 0)
			_exit(126);
		execlp("python3", "python3", "-W", "ignore", "-c", script, arg, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* Is the judge here? */
static inline bool schema_can_judge(void)
{
	return schema_python("import sys\ntry:\n    import jsonschema\nexcept ImportError:\n"
			     "    sys.exit(1)\n",
			     "", "/dev/null") == 0;
}

/* Does every line of the file fit the schema, which is a file, too? What does not is on stderr. */
static inline bool schema_file_holds(const char *schema_path, const char *json_path)
{
	return schema_python(schema_script, schema_path, json_path) == 0;
}

#endif
