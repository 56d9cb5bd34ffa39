/* Recorded messages as a capture file (pcap, raw IP) that Wireshark opens as SIP. */
#ifndef CLI_PCAP_H
#define CLI_PCAP_H

#include <jansson.h>

/* Writes each line that has a whole message. Messages of TCP and TLS become datagrams, too: the stream around them is
 * not recorded. Returns how many, or negative errno. */
int pcap_write(const char *path, const json_t *lines);

#endif
