/* Elements of nftables' sets, tables, and tracked connections, by nfnetlink. Rules themselves are nft's to load. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#include "hob-network.h"
#include "internal.h"
#include "netlink.h"

static void begin_batch(struct request *r) {
        const struct nfgenmsg message = { .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES) };
        request_message(r, NFNL_MSG_BATCH_BEGIN, 0, &message, sizeof message);
}

static void end_batch(struct request *r) {
        const struct nfgenmsg message = { .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES) };
        request_message(r, NFNL_MSG_BATCH_END, 0, &message, sizeof message);
}

static void begin_change(struct request *r, int type, uint16_t flags) {
        const struct nfgenmsg message = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 };
        const uint16_t full = (uint16_t) (NFNL_SUBSYS_NFTABLES << 8 | type);
        request_message(r, full, (uint16_t) (flags | NLM_F_ACK), &message, sizeof message);
}

static void add_value(struct request *r, uint16_t type, const void *value, size_t bytes) {
        const size_t at = request_open(r, type);
        request_add(r, NFTA_DATA_VALUE, value, bytes);
        request_close(r, at);
}

static void add_element(struct request *r, const struct hob_element *e) {
        const size_t list = request_open(r, NFTA_SET_ELEM_LIST_ELEMENTS);
        const size_t element = request_open(r, NFTA_LIST_ELEM);
        add_value(r, NFTA_SET_ELEM_KEY, e->key, e->key_bytes);
        if (e->has_end)
                add_value(r, NFTA_SET_ELEM_KEY_END, e->key_end, e->key_bytes);
        if (e->has_mark)
                add_value(r, NFTA_SET_ELEM_DATA, &e->mark, sizeof e->mark);
        if (e->timeout_ms > 0) {
                const uint64_t timeout_ms = htobe64(e->timeout_ms);
                request_add(r, NFTA_SET_ELEM_TIMEOUT, &timeout_ms, sizeof timeout_ms);
        }
        request_close(r, element);
        request_close(r, list);
}

static int change_element(int fd, int type, const char *table, const char *set, const struct hob_element *e) {
        struct request r = { 0 };
        if (e->key_bytes == 0 || e->key_bytes > HOB_KEY_BYTES_MAX)
                return -EINVAL;
        begin_batch(&r);
        begin_change(&r, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);
        request_add_text(&r, NFTA_SET_ELEM_LIST_TABLE, table);
        request_add_text(&r, NFTA_SET_ELEM_LIST_SET, set);
        add_element(&r, e);
        end_batch(&r);
        return netlink_ask(fd, &r, NULL, 0);
}

int hob_element_set(int netfilter, const char *table, const char *set, const struct hob_element *element) {
        return change_element(netfilter, NFT_MSG_NEWSETELEM, table, set, element);
}

int hob_element_delete(int netfilter, const char *table, const char *set, const struct hob_element *element) {
        return change_element(netfilter, NFT_MSG_DELSETELEM, table, set, element);
}

int hob_table_delete(int netfilter, const char *table) {
        struct request r = { 0 };
        begin_batch(&r);
        begin_change(&r, NFT_MSG_DELTABLE, 0);
        request_add_text(&r, NFTA_TABLE_NAME, table);
        end_batch(&r);
        return netlink_ask(netfilter, &r, NULL, 0);
}

int hob_flows_delete(int netfilter, uint32_t mark, uint32_t mask) {
        struct request r = { 0 };
        const struct nfgenmsg message = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 };
        const uint16_t type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
        request_message(&r, type, NLM_F_ACK, &message, sizeof message);
        request_add_be32(&r, CTA_MARK, mark);
        request_add_be32(&r, CTA_MARK_MASK, mask);
        return netlink_ask(netfilter, &r, NULL, 0);
}
