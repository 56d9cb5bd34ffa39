/* Which SIP methods outside dialogs somebody serves. Signalling thread. */
#ifndef SIP_METHODS_H
#define SIP_METHODS_H

struct pbx;
struct sip_method;
struct sipmsg;

/* Requests of this method outside dialogs, after authentication, go to fn, which answers with sipmsg_reply(). method is
 * copied. 0, or -EEXIST when somebody has it. */
int sip_method_add(struct pbx *pbx, const char *method, void (*fn)(void *arg, struct sipmsg *request), void *arg,
                   struct sip_method **out);
void sip_method_remove(struct sip_method *method);

#endif
