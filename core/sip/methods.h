/* SIP methods that modules serve: requests outside dialogs, after authentication. Signalling thread. */
#ifndef SIP_METHODS_H
#define SIP_METHODS_H

struct pbx;
struct sip_method;
struct sipmsg;

/* fn answers each request with sipmsg_reply(). Returns 0, or -EEXIST when somebody serves the method already. */
int sip_method_add(struct pbx *pbx, const char *method, void (*fn)(void *arg, struct sipmsg *request), void *arg,
                   struct sip_method **out);
void sip_method_remove(struct sip_method *method);

#endif
