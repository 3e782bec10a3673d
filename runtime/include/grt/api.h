/* SPDX-License-Identifier: MIT */
/* api.h - visibility and linkage of the public headers. Not for direct use. */
#ifndef GRT_API_H
#define GRT_API_H

#define GRT_API __attribute__((visibility("default")))

#ifdef __cplusplus
#define GRT_BEGIN extern "C" {
#define GRT_END }
#else
#define GRT_BEGIN
#define GRT_END
#endif

#endif
