// SPDX-License-Identifier: Apache-2.0
// How soon a pod answers: an ICMP echo request each millisecond until one is answered.
//
//   probe ADDRESS|FILE     FILE holds an ADD's result; its first address is meant
//
// Prints the microseconds from its start to the first answer, and how many requests until then were lost for good.
#include <arpa/inet.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IDENTIFIER = 0x6f6e, LIMIT = 3000, GRACE_MS = 20 };

static long long now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static struct sockaddr_in read_address(const char *text) {
  struct sockaddr_in to = {.sin_family = AF_INET};
  if (inet_pton(AF_INET, text, &to.sin_addr) == 1) return to;
  char content[8192] = "", *start = NULL;
  FILE *file = fopen(text, "r");
  if (file && fread(content, 1, sizeof content - 1, file) > 0) start = strstr(content, "\"address\"");
  if (start && (start = strchr(start + 9, '"'))) start[1 + strcspn(start + 1, "/\"")] = '\0';
  if (!start || inet_pton(AF_INET, start + 1, &to.sin_addr) != 1) {
    fprintf(stderr, "probe: no address: %s\n", text);
    exit(1);
  }
  return to;
}

static void send_request(int fd, const struct sockaddr_in *to, int number) {
  struct icmphdr echo = {.type = ICMP_ECHO};
  echo.un.echo.id = htons(IDENTIFIER);
  echo.un.echo.sequence = htons((unsigned short)number);
  // The checksum of a message that is zero but for these: their sum in one's complement.
  unsigned sum = (ICMP_ECHO << 8) + IDENTIFIER + (unsigned)number;
  echo.checksum = htons((unsigned short)~(sum % 0xffff));
  (void)!sendto(fd, &echo, sizeof echo, 0, (const struct sockaddr *)to, sizeof *to);
}

// Whether an answer to one of our requests came within the time.
static int receive_answer(int fd, int milliseconds) {
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  unsigned char packet[256];
  while (poll(&wait, 1, milliseconds) == 1) {
    const ssize_t size = recv(fd, packet, sizeof packet, 0);
    const struct icmphdr *echo = (const void *)(packet + (packet[0] & 15) * 4);
    if (size >= 28 && echo->type == ICMP_ECHOREPLY && ntohs(echo->un.echo.id) == IDENTIFIER) return 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  const long long started = now_us();
  if (argc != 2) return 2;
  const struct sockaddr_in to = read_address(argv[1]);
  const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
  if (fd < 0) {
    perror("probe: socket");
    return 1;
  }
  int sent = 0, answered = 0;
  while (!answered && sent < LIMIT) {
    send_request(fd, &to, ++sent);
    answered = receive_answer(fd, 1);
  }
  const long long first = now_us() - started;
  if (!answered) {
    fprintf(stderr, "probe: no answer from %s\n", argv[1]);
    return 1;
  }
  while (answered < sent && receive_answer(fd, GRACE_MS)) ++answered;
  printf("%lld %d\n", first, sent - answered);
  return 0;
}
