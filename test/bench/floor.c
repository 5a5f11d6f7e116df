// SPDX-License-Identifier: Apache-2.0
// The floor that onlink is measured against: the same kernel objects as its ADD makes, with the fewest messages
// that the kernel takes, and nothing else: no JSON, no lease, no question, no check, no rollback. Both interface
// indexes come from the caller, so that nothing has to be asked: one send and one acknowledgement for each
// namespace.
//
//   floor add HOST-INTERFACE ALIAS NETNS INTERFACE INDEX ADDRESS [IPV6-ADDRESS]
//   floor del HOST-INTERFACE
//
// INDEX becomes the index of both ends. Exit status 1 and a line on standard error where the kernel refuses.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOPBACK_INDEX = 1, MTU = 1500, ONLINK_PROTOCOL = 169 };

static const unsigned char host_mac[6] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
static const unsigned char container_mac[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};

struct attachment {
  const char *host, *alias, *netns, *name;
  int index;
  int families;
  struct {
    int family, size, bits;
    unsigned char address[16], gateway[16];
  } family[2];
};

static void die(const char *what) {
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  exit(1);
}

// A batch of messages, built in place.
static char batch[4096];
static size_t used;
static struct nlmsghdr *current;

static void *reserve(size_t size) {
  void *place = batch + used;
  used += NLMSG_ALIGN(size);
  if (current) current->nlmsg_len = (unsigned)(batch + used - (char *)current);
  return place;
}

static void *message(unsigned short type, unsigned short flags, size_t header) {
  current = NULL;
  struct nlmsghdr *head = reserve(sizeof *head);
  head->nlmsg_type = type;
  head->nlmsg_flags = NLM_F_REQUEST | flags;
  current = head;
  return reserve(header);
}

static struct rtattr *open_nest(unsigned short type) {
  struct rtattr *attribute = reserve(sizeof *attribute);
  attribute->rta_type = type;
  return attribute;
}

static void close_nest(struct rtattr *attribute) {
  attribute->rta_len = (unsigned short)(batch + used - (char *)attribute);
}

static void put(unsigned short type, const void *value, size_t size) {
  struct rtattr *attribute = open_nest(type);
  memcpy(reserve(size), value, size);
  attribute->rta_len = (unsigned short)(sizeof *attribute + size);
}

static void put_u32(unsigned short type, unsigned value) { put(type, &value, sizeof value); }
static void put_text(unsigned short type, const char *text) { put(type, text, strlen(text) + 1); }

static int open_socket(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) die("socket");
  return fd;
}

// Sends the batch; only its last message is acknowledged, so one answer tells that all is done.
static void run(int fd, const char *what) {
  current->nlmsg_flags |= NLM_F_ACK;
  if (send(fd, batch, used, 0) != (ssize_t)used) die(what);
  memset(batch, 0, used);
  used = 0;
  struct {
    struct nlmsghdr head;
    struct nlmsgerr error;
    char rest[4096];
  } answer;
  if (recv(fd, &answer, sizeof answer, 0) < 0) die(what);
  errno = -answer.error.error;
  if (answer.head.nlmsg_type != NLMSG_ERROR || errno) die(what);
}

static void write_setting(const char *interface, const char *setting) {
  char path[128];
  snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/%s", interface, setting);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "0", 1) != 1) die(path);
  close(fd);
}

static int has_ipv6(const struct attachment *a) { return a->family[a->families - 1].family == AF_INET6; }

static void create_pair(const struct attachment *a, int netns) {
  struct ifinfomsg *link = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *link);
  link->ifi_index = a->index;
  put_text(IFLA_IFNAME, a->host);
  put(IFLA_ADDRESS, host_mac, sizeof host_mac);
  put_u32(IFLA_MTU, MTU);
  struct rtattr *info = open_nest(IFLA_LINKINFO);
  put_text(IFLA_INFO_KIND, "veth");
  struct rtattr *data = open_nest(IFLA_INFO_DATA), *peer = open_nest(VETH_INFO_PEER);
  link = reserve(sizeof *link);
  link->ifi_index = a->index;
  put_text(IFLA_IFNAME, a->name);
  put(IFLA_ADDRESS, container_mac, sizeof container_mac);
  put_u32(IFLA_MTU, MTU);
  put_u32(IFLA_NET_NS_FD, (unsigned)netns);
  close_nest(peer);
  close_nest(data);
  close_nest(info);
}

static void configure_host_link(const struct attachment *a) {
  struct ifinfomsg *link = message(RTM_SETLINK, 0, sizeof *link);
  link->ifi_index = a->index;
  // IPv6 needs the address generation mode before the link is up, and the kernel reads flags first.
  if (!has_ipv6(a)) link->ifi_flags = link->ifi_change = IFF_UP;
  put_text(IFLA_IFALIAS, a->alias);
  struct rtattr *spec = open_nest(IFLA_AF_SPEC), *inet = open_nest(AF_INET), *conf = open_nest(IFLA_INET_CONF);
  put_u32(IPV4_DEVCONF_FORWARDING, 1);
  put_u32(IPV4_DEVCONF_PROXY_ARP, 1);
  put_u32(IPV4_DEVCONF_RP_FILTER, 1);
  put_u32(IPV4_DEVCONF_ACCEPT_REDIRECTS, 0);
  put_u32(IPV4_DEVCONF_SEND_REDIRECTS, 0);
  close_nest(conf);
  close_nest(inet);
  if (has_ipv6(a)) {
    struct rtattr *inet6 = open_nest(AF_INET6);
    put(IFLA_INET6_ADDR_GEN_MODE, &(unsigned char){IN6_ADDR_GEN_MODE_NONE}, 1);
    close_nest(inet6);
  }
  close_nest(spec);

  struct ndtmsg *table = message(RTM_SETNEIGHTBL, 0, sizeof *table);
  table->ndtm_family = AF_INET;
  put_text(NDTA_NAME, "arp_cache");
  struct rtattr *parameters = open_nest(NDTA_PARMS);
  put_u32(NDTPA_IFINDEX, (unsigned)a->index);
  put(NDTPA_PROXY_DELAY, &(unsigned long long){0}, 8);
  close_nest(parameters);
}

static void set_up(int index) {
  struct ifinfomsg *link = message(RTM_NEWLINK, 0, sizeof *link);
  link->ifi_index = index;
  link->ifi_flags = link->ifi_change = IFF_UP;
}

static void add_address(int index, int family, int bits, int scope, const void *address, size_t size) {
  struct ifaddrmsg *head = message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof *head);
  head->ifa_family = (unsigned char)family;
  head->ifa_prefixlen = (unsigned char)bits;
  head->ifa_scope = (unsigned char)scope;
  head->ifa_index = (unsigned)index;
  put(IFA_LOCAL, address, size);
  put(IFA_ADDRESS, address, size);
  if (family == AF_INET6) put_u32(IFA_FLAGS, IFA_F_NODAD);
}

// dst NULL: the default route.
static void add_route(int index, int family, const void *dst, const void *gateway, size_t size, int protocol) {
  struct rtmsg *head = message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof *head);
  head->rtm_family = (unsigned char)family;
  head->rtm_dst_len = (unsigned char)(dst ? size * 8 : 0);
  head->rtm_table = RT_TABLE_MAIN;
  head->rtm_protocol = (unsigned char)protocol;
  head->rtm_scope = !gateway && family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  head->rtm_type = RTN_UNICAST;
  if (dst) put(RTA_DST, dst, size);
  if (gateway) put(RTA_GATEWAY, gateway, size);
  put_u32(RTA_OIF, (unsigned)index);
}

// Without a MAC: the host's place for a pod, filled by the kernel when it is needed.
static void add_neighbour(int index, int family, const void *address, size_t size, const unsigned char *mac) {
  struct ndmsg *head = message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof *head);
  head->ndm_family = (unsigned char)family;
  head->ndm_ifindex = index;
  head->ndm_state = mac ? NUD_PERMANENT : NUD_NONE;
  head->ndm_flags = mac ? 0 : NTF_EXT_LEARNED;
  put(NDA_DST, address, size);
  if (mac) put(NDA_LLADDR, mac, sizeof host_mac);
}

static void configure_host(const struct attachment *a, int fd, int netns) {
  create_pair(a, netns);
  if (has_ipv6(a)) {
    // The settings are files, which exist when the link does.
    run(fd, "create the pair");
    write_setting(a->host, "accept_ra");
  }
  configure_host_link(a);
  for (int i = 0; i < a->families; ++i)
    if (a->family[i].family == AF_INET6)
      add_address(a->index, AF_INET6, 64, RT_SCOPE_LINK, a->family[i].gateway, 16);
  if (has_ipv6(a)) set_up(a->index);
  for (int i = 0; i < a->families; ++i) {
    const int family = a->family[i].family;
    const size_t size = (size_t)a->family[i].size;
    add_neighbour(a->index, family, a->family[i].address, size, NULL);
    add_route(a->index, family, a->family[i].address, NULL, size, ONLINK_PROTOCOL);
  }
  run(fd, "configure the host");
}

static void configure_container(const struct attachment *a, int netns) {
  if (setns(netns, CLONE_NEWNET) != 0) die("setns");
  if (has_ipv6(a)) write_setting(a->name, "accept_ra");
  set_up(LOOPBACK_INDEX);
  for (int i = 0; i < a->families; ++i)
    add_address(a->index, a->family[i].family, a->family[i].bits, RT_SCOPE_UNIVERSE, a->family[i].address,
                (size_t)a->family[i].size);
  set_up(a->index);
  for (int i = 0; i < a->families; ++i) {
    const int family = a->family[i].family;
    const size_t size = (size_t)a->family[i].size;
    add_route(a->index, family, a->family[i].gateway, NULL, size, RTPROT_BOOT);
    add_route(a->index, family, NULL, a->family[i].gateway, size, RTPROT_BOOT);
    add_neighbour(a->index, family, a->family[i].gateway, size, host_mac);
  }
  run(open_socket(), "configure the container");
}

static void add_family(struct attachment *a, const char *address) {
  const int v6 = strchr(address, ':') != NULL, n = a->families++;
  a->family[n].family = v6 ? AF_INET6 : AF_INET;
  a->family[n].size = v6 ? 16 : 4;
  a->family[n].bits = v6 ? 128 : 32;
  if (inet_pton(a->family[n].family, address, a->family[n].address) != 1) die(address);
  inet_pton(a->family[n].family, v6 ? "fe80::ecee:eeff:feee:eeee" : "169.254.1.1", a->family[n].gateway);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "del") == 0) {
    message(RTM_DELLINK, 0, sizeof(struct ifinfomsg));
    put_text(IFLA_IFNAME, argv[2]);
    run(open_socket(), "delete");
    return 0;
  }
  if (argc < 8 || argc > 9 || strcmp(argv[1], "add") != 0) {
    fprintf(stderr, "usage: floor add HOST-INTERFACE ALIAS NETNS INTERFACE INDEX ADDRESS [IPV6-ADDRESS]\n"
                    "       floor del HOST-INTERFACE\n");
    return 2;
  }
  struct attachment a = {.host = argv[2], .alias = argv[3], .netns = argv[4], .name = argv[5],
                         .index = (int)strtol(argv[6], NULL, 10)};
  for (int i = 7; i < argc; ++i) add_family(&a, argv[i]);
  const int netns = open(a.netns, O_RDONLY | O_CLOEXEC);
  if (netns < 0) die(a.netns);
  configure_host(&a, open_socket(), netns);
  configure_container(&a, netns);
  return 0;
}
