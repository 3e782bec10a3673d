/* SPDX-License-Identifier: MIT */
/*
 * file.h - a recording: the stream of records in a file, and who writes it. gotrace-file(5) describes
 * it for readers that are not ours. A header, then blocks: each a header of its own and a zlib stream
 * of records. Whatever was written up to the last whole block can be replayed, however the writer
 * ended; the record FILE_END tells that it ended in order.
 *
 * Little endian; magic and version stand where they stand in every version to come.
 * Written by cmd/record.c, read by file_read.c (source_file_open in source.h).
 */
#ifndef GOTRACE_FILE_H
#define GOTRACE_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../runtime/trace_abi.h"
#include "../diag.h"

/* The odd first byte and both line ends show a file that was carried as text. */
#define FILE_MAGIC "\211GRT\r\n\032\n"
#define FILE_VERSION 1
#define FILE_BLOCK_MAGIC 0x4b4c4247u /* "GBLK" */

/* 256 KiB of records: zlib gains little beyond, and a reader needs no more memory. */
#define FILE_BLOCK_RECORDS 4096u
/* More than zlib's compressBound() of a full block. */
#define FILE_PACKED_MAX (FILE_BLOCK_RECORDS * 64u + 4096u)
/* The block with the end alone. */
#define FILE_END_BYTES 256u
/* Header, a snapshot of a few threads, end. */
#define FILE_BYTES_MIN (64u << 10)

#if defined(__x86_64__)
#define FILE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define FILE_MACHINE EM_AARCH64
#else
#error "which machine?"
#endif

enum file_flags {
	FILE_HAS_ITERATOR = 1,
	FILE_HAS_SWITCHES = 2,
	FILE_IS_REPLACED = 4, /* the target's file on disk had been replaced */
};

/* Texts end with a zero byte. */
struct file_header {
	uint8_t magic[8];
	uint32_t version;
	uint32_t header_bytes; /* the first block follows */
	uint32_t record_bytes, trace_version;
	uint32_t machine; /* ELF's e_machine: whose numbers of system calls */
	uint32_t layout;  /* enum layout_variant */
	char boot_id[40]; /* of /proc/sys/kernel/random/boot_id */
	int32_t pid;
	uint32_t flags;         /* enum file_flags */
	uint64_t start_time_ns; /* of the process, since boot */
	/* The same moment on two clocks: records carry CLOCK_MONOTONIC. */
	uint64_t monotonic_ns, realtime_ns;
	uint64_t interval_ns;
	uint32_t level, armed, wanted, reserved;
	char comm[32], runtime[16], why_not_higher[256];
	uint8_t unused[76];
	uint32_t crc; /* of what stands before it */
};
_Static_assert(sizeof(struct file_header) == 512, "file_header is a format");

struct file_block {
	uint32_t magic, packed_bytes, raw_bytes, records;
	uint64_t first_ns, last_ns; /* least and greatest time of its records; 0: they have none */
	uint32_t crc;               /* of the packed bytes */
	uint32_t head_crc;          /* of what stands before it here */
};
_Static_assert(sizeof(struct file_block) == 40, "file_block is a format");
_Static_assert(sizeof(struct grt_rec) == 64, "records are written as they are");

/* What a header says that the writer does not know itself. */
struct file_about {
	int32_t pid;
	uint64_t start_time_ns, interval_ns;
	uint32_t layout, level, armed, wanted, flags;
	const char *comm, *runtime, *why_not_higher;
};

struct file_written {
	uint64_t records, snapshots, bytes; /* in whole blocks: what a replay will see */
	uint64_t dropped;                   /* came after the end: no room, or a failed write */
	bool is_full;                       /* the size that was asked for is reached */
	int error;                          /* -errno of the write that failed; 0 */
};

/*
 * Reads and judges a header; *ret_bytes: what was read of the file, also on failure. EXIT_FINE, or
 * another exit code, after diag_error. Texts in *ret are clean.
 */
enum exit_code file_header_read(int fd, const char *name, struct file_header *ret,
				uint64_t *ret_bytes);
/* Reads until `bytes` or the end of the file. Returns how many, or -errno; -EINTR: a signal asks us to
 * end. */
ssize_t file_read_all(int fd, void *to, size_t bytes);

struct file_writer;

/*
 * A new file, or with `force` an existing regular one, which is emptied; "-" is out_fd. 0, or
 * -EEXIST, -EINVAL (not a regular file), -errno.
 */
int file_create(const char *path, int out_fd, bool force);
/* The writer owns fd from now on. max_bytes 0: no limit, else at least FILE_BYTES_MIN. NULL: -errno in
 * *ret_rc, and fd is closed. */
struct file_writer *file_writer_open(int fd, const struct file_about *about, uint64_t max_bytes,
				     int *ret_rc);
/* After an end or an error a record is only counted as dropped. */
void file_writer_put(struct file_writer *w, const struct grt_rec *rec);
/* All records of a tick were put: write them, unless that was done just now. */
void file_writer_tick(struct file_writer *w);
/* A name, as TEXT records. */
void file_writer_text(struct file_writer *w, enum grt_text what, uint64_t key, const char *text);
const struct file_written *file_writer_written(const struct file_writer *w);
/* What is still in memory, and the end. Returns 0, or -errno of the first write that failed; frees. */
int file_writer_close(struct file_writer *w, enum grt_end why, struct file_written *ret);

#endif
