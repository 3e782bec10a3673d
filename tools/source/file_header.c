/* SPDX-License-Identifier: MIT */
/*
 * file_header.c - is this a recording, and one that we can read? If not, what it is instead. Nothing
 * that a header says is used before its checksum was compared, but for magic and version, which newer
 * versions have in the same place.
 */
#include "file.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "source.h"

#define HEADER_BYTES_MAX 65536u /* a later minor addition makes it longer; not without end */
#define LEVEL_MAX 2u
#define PID_MAX (1 << 22) /* the kernel's own limit */

ssize_t file_read_all(int fd, void *to, size_t bytes)
{
	size_t n = 0;

	while (n < bytes) {
		ssize_t rc = read(fd, (char *)to + n, bytes - n);

		if (rc < 0 && errno == EINTR && !source_was_signalled())
			continue;
		if (rc < 0)
			return -errno;
		if (rc == 0)
			break;
		n += (size_t)rc;
	}
	return (ssize_t)n;
}

static bool is_text(const uint8_t *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if ((at[i] < ' ' && !strchr("\t\n\r\f\033", at[i])) || at[i] == 0x7f || at[i] == 0)
			return false;
	return true;
}

static const char *looks_like(const uint8_t *at, size_t bytes)
{
	static const struct {
		const char *magic;
		size_t bytes;
		const char *what;
	} known[] = {
		{ ELFMAG, SELFMAG, "a program, library or core file (ELF)" },
		{ "PERFILE2", 8, "a recording of perf" },
		{ "go 1.", 5, "an execution trace of Go" },
		{ "\037\213", 2, "compressed by gzip" },
		{ "\050\265\057\375", 4, "compressed by zstd" },
		{ "\xfd"
		  "7zXZ",
		  5, "compressed by xz" },
		{ "{\"type\":", 8, "the output of gotrace --json" },
		{ "\211GRT", 4, "a recording that was changed on its way, as text or by 7 bits" },
	};

	if (bytes == 0)
		return "empty";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (bytes >= known[i].bytes && !memcmp(at, known[i].magic, known[i].bytes))
			return known[i].what;
	return is_text(at, bytes) ? "text" : "data of another kind";
}

/* Control characters of a file reach no terminal. */
static void text_clean(char *text, size_t bytes)
{
	text[bytes - 1] = 0;
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static bool is_sound(const struct file_header *h)
{
	return h->header_bytes >= sizeof(*h) && h->header_bytes <= HEADER_BYTES_MAX && h->pid > 0 &&
	       h->pid <= PID_MAX && h->level <= LEVEL_MAX && h->armed <= h->wanted &&
	       h->wanted <= INT16_MAX && h->interval_ns <= INT64_MAX &&
	       h->record_bytes == sizeof(struct grt_rec);
}

static enum exit_code judge(const struct file_header *h, size_t bytes, const char *name)
{
	if (bytes < sizeof(h->magic) || memcmp(h->magic, FILE_MAGIC, sizeof(h->magic)))
		return diag_error(EXIT_NO_TARGET, "%s is not a recording of gotrace: it is %s",
				  name, looks_like(h->magic, bytes));
	if (bytes >= offsetof(struct file_header, header_bytes) && h->version > FILE_VERSION)
		return diag_error(EXIT_NO_TARGET,
				  "cannot replay %s: it has version %u of the format, this gotrace "
				  "reads up to version %u",
				  name, h->version, FILE_VERSION);
	if (bytes < sizeof(*h))
		return diag_error(EXIT_NO_TARGET,
				  "cannot replay %s: it was cut off inside its header, at byte %zu",
				  name, bytes);
	if (h->crc != (uint32_t)crc32(0, (const uint8_t *)h, offsetof(struct file_header, crc)) ||
	    h->version == 0)
		return diag_error(EXIT_NO_TARGET, "cannot replay %s: its header is damaged", name);
	if (h->trace_version > GRT_TRACE_VERSION)
		return diag_error(
			EXIT_NO_TARGET,
			"cannot replay %s: its records have version %u, this gotrace reads "
			"up to version %u",
			name, h->trace_version, GRT_TRACE_VERSION);
	if (h->machine != FILE_MACHINE)
		return diag_error(
			EXIT_NO_TARGET,
			"cannot replay %s: it was recorded on another architecture (ELF "
			"machine %u), whose system calls have other numbers than here (%u)",
			name, h->machine, FILE_MACHINE);
	if (!is_sound(h))
		return diag_error(EXIT_NO_TARGET, "cannot replay %s: its header cannot be true",
				  name);
	return EXIT_FINE;
}

static enum exit_code unreadable(const char *name, int error)
{
	return diag_error(EXIT_SYSTEM, "cannot read %s: %s", name, strerror(error));
}

enum exit_code file_header_read(int fd, const char *name, struct file_header *ret,
				uint64_t *ret_bytes)
{
	ssize_t n = file_read_all(fd, ret, sizeof(*ret));
	enum exit_code code;
	uint8_t more[256];

	*ret_bytes = n > 0 ? (uint64_t)n : 0;
	if (n < 0)
		return unreadable(name, (int)-n);
	code = judge(ret, (size_t)n, name);
	if (code != EXIT_FINE)
		return code;
	/* What a later minor addition says there is not for us. */
	while (*ret_bytes < ret->header_bytes) {
		size_t left = ret->header_bytes - *ret_bytes;

		n = file_read_all(fd, more, left < sizeof(more) ? left : sizeof(more));
		if (n < 0)
			return unreadable(name, (int)-n);
		if (n == 0)
			break;
		*ret_bytes += (uint64_t)n;
	}
	text_clean(ret->comm, sizeof(ret->comm));
	text_clean(ret->runtime, sizeof(ret->runtime));
	text_clean(ret->why_not_higher, sizeof(ret->why_not_higher));
	return EXIT_FINE;
}
