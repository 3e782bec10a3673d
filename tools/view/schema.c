/* SPDX-License-Identifier: MIT */
/*
 * schema.c - see schema.h. The files of schema/ are part of the binary as they are; a schema is the
 * definitions of common.json and of the report's own file, and which objects may be a line.
 */
#include "schema.h"

#include <string.h>

/* SCHEMA(name): a file of schema/, and a symbol. */
#define SCHEMAS(SCHEMA) \
	SCHEMA(threads) \
	SCHEMA(handoff) SCHEMA(netpoll) SCHEMA(blocked) SCHEMA(growth) SCHEMA(record) SCHEMA(check)

#define SCHEMA_DIR "tools/view/schema/" /* from the top of the tree, where the compiler runs */
#define SCHEMA_EMBED(name)                                \
	__asm__(".pushsection .rodata\n"                  \
		"schema_" #name ":\n"                     \
		".incbin \"" SCHEMA_DIR #name ".json\"\n" \
		".byte 0\n"                               \
		".popsection\n");                         \
	extern const char schema_##name[];

SCHEMA_EMBED(common)
SCHEMAS(SCHEMA_EMBED)

static const struct {
	const char *name, *text;
} schemas[] = {
#define SCHEMA_ROW(name) { #name, schema_##name },
	SCHEMAS(SCHEMA_ROW)
#undef SCHEMA_ROW
};

const char *schema_name(int i)
{
	return i >= 0 && (size_t)i < sizeof(schemas) / sizeof(schemas[0]) ? schemas[i].name : NULL;
}

/* What is between the outer braces. */
static void put_members(const char *text, FILE *out)
{
	const char *first = strchr(text, '{') + 1, *last = strrchr(text, '}');

	while (last > first && (last[-1] == '\n' || last[-1] == ' '))
		last--;
	fwrite(first, 1, (size_t)(last - first), out);
}

bool schema_print(const char *name, FILE *out)
{
	int i = 0;

	while (schema_name(i) && strcmp(schema_name(i), name))
		i++;
	if (!schema_name(i))
		return false;
	fprintf(out,
		"{\n\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
		"\"title\": \"gotrace %s, version 1\",\n\"$defs\": {",
		name);
	put_members(schema_common, out);
	fputc(',', out);
	put_members(schemas[i].text, out);
	fputs("\n},\n\"oneOf\": [\n"
	      "  { \"$ref\": \"#/$defs/begin\" },\n"
	      "  { \"$ref\": \"#/$defs/lines\" },\n"
	      "  { \"$ref\": \"#/$defs/end\" }\n"
	      "]\n}\n",
	      out);
	return true;
}
