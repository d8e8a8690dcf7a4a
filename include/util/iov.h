/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of memory segments, such as the buffers of a request. Bytes are counted from the begin of
 * the first segment. Positions behind the end are permitted. Any thread.
 */
#ifndef UTIL_IOV_H
#define UTIL_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/**
 * iov_slice() - Select a part of a list.
 * @from: @n segments
 * @skip: bytes before the part
 * @len:  bytes of the part
 * @to:   where to store its segments; room for @n
 *
 * Return: the number of segments stored.
 */
int iov_slice(const struct iovec *from, int n, size_t skip, size_t len, struct iovec *to);

/**
 * iov_read() - Copy bytes out of a list.
 * @iov: @n segments
 * @at:  the first byte
 * @dst: room for @len bytes
 *
 * Return: the number of bytes copied, less than @len if the list ends before.
 */
size_t iov_read(const struct iovec *iov, int n, size_t at, void *dst, size_t len);

#endif
