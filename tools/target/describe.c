/* SPDX-License-Identifier: MIT */
/* describe.c - see describe.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "describe.h"
#include "proc.h"

/* Beginnings of names of programs and libraries that tell the language. First match wins. */
static const struct {
	const char *name, *looks;
} by_name[] = {
	{ "libjvm.so", "a Java program" },
	{ "java", "a Java program" },
	{ "python", "Python" },
	{ "libpython", "Python" },
	{ "node", "Node.js" },
	{ "libnode.so", "Node.js" },
	{ "ruby", "Ruby" },
	{ "libruby", "Ruby" },
	{ "perl", "Perl" },
	{ "php", "PHP" },
	{ "beam.smp", "Erlang" },
	{ "dotnet", ".NET" },
	{ "libcoreclr.so", ".NET" },
	{ "bash", "a shell" },
	{ "dash", "a shell" },
	{ "zsh", "a shell" },
};

static const char *looks_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof(by_name) / sizeof(by_name[0]); i++)
		if (!strncmp(name, by_name[i].name, strlen(by_name[i].name)))
			return by_name[i].looks;
	return NULL;
}

/*
 * From Go 1.18 on the version stands in .go.buildinfo itself: magic, then at 15 a flag (bit 1),
 * at 32 a length (varint; versions are shorter than 128) and the text.
 */
static bool go_version(const uint8_t *info, size_t bytes, char *ret, size_t ret_bytes)
{
	enum { FLAGS_AT = 15, FLAG_INLINE = 2, LENGTH_AT = 32, LENGTH_MAX = 127 };
	size_t length;

	if (bytes <= LENGTH_AT || !(info[FLAGS_AT] & FLAG_INLINE))
		return false;
	length = info[LENGTH_AT];
	if (length == 0 || length > LENGTH_MAX || length > bytes - LENGTH_AT - 1)
		return false;
	snprintf(ret, ret_bytes, "%.*s", (int)length, (const char *)info + LENGTH_AT + 1);
	return true;
}

static bool section_has(const struct image *im, const char *section, const char *word)
{
	size_t bytes;
	const uint8_t *text = image_section(im, section, &bytes, NULL);

	return text && memmem(text, bytes, word, strlen(word));
}

void describe_image(const struct image *im, const char *name, char *ret, size_t bytes)
{
	const char *looks;
	char version[128];
	size_t info_bytes;
	const uint8_t *info = image_section(im, ".go.buildinfo", &info_bytes, NULL);

	if (info) {
		bool known = go_version(info, info_bytes, version, sizeof(version));

		snprintf(ret, bytes, known ? "a Go program (%s)" : "a Go program", version);
		return;
	}
	looks = looks_by_name(name);
	if (!looks && section_has(im, ".comment", "rustc"))
		looks = "a Rust program";
	if (!looks && image_needs(im, "libstdc++.so"))
		looks = "a C++ program";
	if (!looks && image_needs(im, "libc.so"))
		looks = "a C program";
	if (!looks)
		looks = im->header.e_type == ET_REL ? "an object file"
			: image_is_dynamic(im)      ? "a native program"
						    : "a static program";
	snprintf(ret, bytes, "%s", looks);
}

/* A language that comes as a library of the process. */
static const char *looks_by_library(pid_t tid)
{
	const char *looks = NULL;
	struct proc_map map;
	struct proc_maps it;

	if (proc_maps_open(&it, tid) < 0)
		return NULL;
	while (!looks && proc_maps_next(&it, &map)) {
		const char *base = strrchr(map.path, '/');

		if (map.perms[2] == 'x' && base && !strncmp(base + 1, "lib", 3))
			looks = looks_by_name(base + 1);
	}
	proc_maps_close(&it);
	return looks;
}

void describe_process(pid_t tid, char *ret, size_t bytes)
{
	const char *library = looks_by_library(tid);
	char path[32], file[4096], err[64];
	struct image im;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", tid);
	n = readlink(path, file, sizeof(file) - 1);
	file[n < 0 ? 0 : n] = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (library) {
		snprintf(ret, bytes, "%s", library);
	} else if (fd < 0) {
		snprintf(ret, bytes, "a program whose file cannot be read");
	} else if (image_open(&im, fd, err, sizeof(err)) < 0) {
		snprintf(ret, bytes, "%s", err);
	} else {
		describe_image(&im, basename(file), ret, bytes);
		image_close(&im);
	}
	if (fd >= 0)
		close(fd);
}
