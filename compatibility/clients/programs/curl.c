/* With libcurl: cc curl.c -lcurl -o curl-client && ./curl-client ws://127.0.0.1:8000 */
#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGE 1048576

static const char *url;
static char buffer[2 * LARGE];

static void fail(const char *what, CURLcode code) {
  fprintf(stderr, "%s: %s\n", what, curl_easy_strerror(code));
  exit(1);
}

static void wait_for(CURL *curl, short events) {
  curl_socket_t socket;
  curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &socket);
  struct pollfd one = {socket, events, 0};
  poll(&one, 1, 10000);
}

/* Connects; gives the result, and the status of the response. */
static CURLcode dial(CURL **curl, const char *path, struct curl_slist *headers, long *status) {
  char whole[256];
  snprintf(whole, sizeof whole, "%s%s", url, path);
  *curl = curl_easy_init();
  curl_easy_setopt(*curl, CURLOPT_URL, whole);
  curl_easy_setopt(*curl, CURLOPT_CONNECT_ONLY, 2L);
  curl_easy_setopt(*curl, CURLOPT_HTTPHEADER, headers);
  CURLcode code = curl_easy_perform(*curl);
  curl_easy_getinfo(*curl, CURLINFO_RESPONSE_CODE, status);
  return code;
}

static CURL *open_websocket(const char *path, struct curl_slist *headers) {
  CURL *curl;
  long status;
  CURLcode code = dial(&curl, path, headers, &status);
  if (code != CURLE_OK) fail(path, code);
  return curl;
}

static void send_frame(CURL *curl, const void *data, size_t length, unsigned flags) {
  size_t done = 0;
  do {
    size_t sent = 0;
    CURLcode code = curl_ws_send(curl, (const char *)data + done, length - done, &sent, 0, flags);
    done += sent;
    if (code == CURLE_AGAIN) wait_for(curl, POLLOUT);
    else if (code != CURLE_OK) fail("curl_ws_send", code);
  } while (done < length);
}

/* Reads one message or control frame into the buffer. */
static CURLcode receive(CURL *curl, size_t *length, int *flags) {
  *length = 0;
  for (;;) {
    size_t count = 0;
    const struct curl_ws_frame *frame = NULL;
    size_t room = sizeof buffer - *length - 1;
    /* Older headers lack the const. */
    CURLcode code = curl_ws_recv(curl, buffer + *length, room, &count, (void *)&frame);
    if (code == CURLE_AGAIN) {
      wait_for(curl, POLLIN);
      continue;
    }
    if (code != CURLE_OK) return code;
    *length += count;
    *flags = frame->flags;
    if (frame->bytesleft == 0 && !(frame->flags & CURLWS_CONT)) break;
  }
  buffer[*length] = 0;
  return CURLE_OK;
}

static void expect_message(CURL *curl, size_t *length, int *flags) {
  CURLcode code = receive(curl, length, flags);
  if (code != CURLE_OK) fail("curl_ws_recv", code);
}

static void tell_end(const char *step, CURL *curl) {
  size_t length;
  int flags;
  CURLcode code = receive(curl, &length, &flags);
  if (code != CURLE_OK) {
    printf("{\"step\":\"%s\",\"error\":\"%s\"}\n", step, curl_easy_strerror(code));
  } else if (flags & CURLWS_CLOSE) {
    unsigned number = ((unsigned char)buffer[0] << 8) | (unsigned char)buffer[1];
    printf("{\"step\":\"%s\",\"code\":%u,\"reason\":\"%s\"}\n", step, number, buffer + 2);
    send_frame(curl, buffer, 2, CURLWS_CLOSE);
  }
}

int main(int count, char **arguments) {
  if (count < 2) return 2;
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  if (strcmp(arguments[1], "--version") == 0) {
    int has_websockets = 0;
    for (const char *const *each = info->protocols; *each; each++) has_websockets |= strcmp(*each, "ws") == 0;
    puts(info->version);
    return has_websockets ? 0 : 3;
  }
  url = arguments[1];
  setvbuf(stdout, NULL, _IOLBF, 0);
  size_t length;
  int flags;

  struct curl_slist *headers = curl_slist_append(NULL, "Sec-WebSocket-Protocol: superchat, chat");
  CURL *echo = open_websocket("/echo", headers);
  struct curl_header *protocol = NULL;
  curl_easy_header(echo, "Sec-WebSocket-Protocol", 0, CURLH_1XX, -1, &protocol);
  printf("{\"step\":\"open\",\"protocol\":\"%s\"}\n", protocol ? protocol->value : "");
  const char *texts[][2] = {
      {"text", "hello"}, {"unicode", "Grüße, 世界 👋"}, {"ping of the server", "ping me"}};
  for (int i = 0; i < 3; i++) {
    send_frame(echo, texts[i][1], strlen(texts[i][1]), CURLWS_TEXT);
    expect_message(echo, &length, &flags);
    printf("{\"step\":\"%s\",\"echo\":\"%s\"}\n", texts[i][0], buffer);
  }
  const unsigned char bytes[] = {0, 1, 2, 253, 254, 255};
  send_frame(echo, bytes, sizeof bytes, CURLWS_BINARY);
  expect_message(echo, &length, &flags);
  printf("{\"step\":\"binary\",\"echo\":[");
  for (size_t i = 0; i < length; i++) printf("%s%u", i ? "," : "", (unsigned char)buffer[i]);
  printf("]}\n");
  unsigned char *large = malloc(LARGE);
  for (int i = 0; i < LARGE; i++) large[i] = (unsigned char)(i % 251);
  send_frame(echo, large, LARGE, CURLWS_BINARY);
  expect_message(echo, &length, &flags);
  int same = length == LARGE && memcmp(large, buffer, LARGE) == 0;
  printf("{\"step\":\"large\",\"length\":%zu,\"same\":%s}\n", length, same ? "true" : "false");
  send_frame(echo, "in ", 3, CURLWS_TEXT | CURLWS_CONT);
  send_frame(echo, "three ", 6, CURLWS_TEXT | CURLWS_CONT);
  send_frame(echo, "parts", 5, CURLWS_TEXT);
  expect_message(echo, &length, &flags);
  printf("{\"step\":\"parts\",\"echo\":\"%s\"}\n", buffer);
  send_frame(echo, "payload", 7, CURLWS_PING);
  expect_message(echo, &length, &flags);
  printf("{\"step\":\"ping\",\"pong\":\"%s\"}\n", flags & CURLWS_PONG ? buffer : "");
  send_frame(echo, "\x0f\xa1" "bye", 5, CURLWS_CLOSE);
  tell_end("close", echo);
  curl_easy_cleanup(echo);

  CURL *goodbye = open_websocket("/goodbye", NULL);
  tell_end("close of the server", goodbye);
  curl_easy_cleanup(goodbye);

  CURL *lost = open_websocket("/lost", NULL);
  send_frame(lost, "lose me", 7, CURLWS_TEXT);
  tell_end("lost", lost);
  curl_easy_cleanup(lost);

  CURL *refused;
  long status;
  CURLcode code = dial(&refused, "/refused", NULL, &status);
  printf("{\"step\":\"refused\",\"error\":\"%s\",\"status\":%ld}\n", curl_easy_strerror(code), status);
  curl_easy_cleanup(refused);
  curl_slist_free_all(headers);
  free(large);
  return 0;
}
