/* What the media process may ask of the kernel. */
#ifndef MEDIA_SANDBOX_H
#define MEDIA_SANDBOX_H

/* From here on all threads of this process can do what media needs and nothing else: no file is opened, no program
 * started. What is not on the list fails with EPERM. Once everything is set up; control thread. Returns 0, -ENOSYS
 * where this build or kernel cannot, or another negative errno. */
int sandbox_enter(void);

#endif
