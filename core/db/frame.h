/* Frames (a head, then a payload of the owner's) and the files they are kept in. Blocking: for workers, and for start
 * and stop. The head tells a whole frame from half a one, from noise, and from what a bad disk makes of it. */
#ifndef DB_FRAME_H
#define DB_FRAME_H

#include "base/base.h"

#define FRAME_HEAD 12         /* bytes: "TDR1", length, CRC-32 of the payload; both little-endian */
#define FRAME_MAX (64u << 10) /* bytes of a payload */
#define FILE_PATH 512

/* CRC-32 (IEEE 802.3). */
uint32_t frame_crc32(const void *data, size_t len);
void frame_head(uint8_t out[FRAME_HEAD], const void *payload, size_t len);
/* Length of the payload, as the head says. */
size_t frame_payload(const uint8_t *frame);
/* Length of the frame at p, or 0 when there is no whole and undamaged one. */
size_t frame_check(const uint8_t *p, size_t len);
/* Closes the gaps that damage has left: afterwards the first bytes of data, as many as returned, are whole frames. */
size_t frames_close_up(uint8_t *data, size_t len, uint64_t *frames, uint64_t *damaged);

/* Writes durably at `offset`. *fd stays open for the next write; -1: opens the file (0600). After an error it is
 * closed, and the range has to be written again: what a failed fdatasync() has left is not known. 0 or negative errno.
 */
int file_write(const char *path, int *fd, const void *data, size_t len, uint64_t offset);
void file_close(int *fd);
/* Puts a file (0600) of these bytes in the place of what is there, durably: there is always the old or the new one. */
int file_replace(const char *path, const void *data, size_t len);
/* The whole file; the caller frees *data, which after an error of reading holds what could be read. */
int file_read(const char *path, uint8_t **data, size_t *len);

#endif
