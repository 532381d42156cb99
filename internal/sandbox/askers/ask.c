/*
 * The sandbox's launchctl, docker, lsof and so on, as ask.go has them. Tests
 * start them thousands of times, and a program in C starts in a third of the time.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;

static const char *tool;

static int fail(const char *why) {
	fprintf(stderr, "%s: no sandbox: %s\n", tool, why);
	return 1;
}

static void send_text(FILE *mac, const char *text) { fwrite(text, 1, strlen(text) + 1, mac); }

static void copy(FILE *from, FILE *to, size_t rest) {
	char buffer[8192];
	while (rest > 0) {
		size_t n = fread(buffer, 1, rest < sizeof buffer ? rest : sizeof buffer, from);
		if (n == 0)
			return;
		fwrite(buffer, 1, n, to);
		rest -= n;
	}
	fflush(to);
}

static FILE *dial(const char *port) {
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		return NULL;
	return fdopen(fd, "r+");
}

/* is_ours: open passes the caller's environment on, as far as Ollama reads it. */
static int is_ours(const char *pair) {
	return strcmp(tool, "open") == 0 && strncmp(pair, "OLLAMA_", 7) == 0;
}

int main(int argc, char **argv) {
	const char *slash = strrchr(argv[0], '/');
	tool = slash ? slash + 1 : argv[0];
	const char *server = getenv("SANDBOX_SERVER"); /* 127.0.0.1:PORT/PASSWORD */
	const char *port = server ? strchr(server, ':') : NULL;
	const char *password = port ? strchr(port, '/') : NULL;
	if (password == NULL)
		return fail("SANDBOX_SERVER is not set");
	FILE *mac = dial(port + 1);
	if (mac == NULL)
		return fail("nobody listens");

	int docker = strcmp(tool, "docker") == 0, reads = 0, strings = 4 + argc - 1;
	for (int i = 1; docker && i < argc; i++)
		reads |= strcmp(argv[i], "-i") == 0 || strcmp(argv[i], "--interactive") == 0;
	if (docker && argc > 1 && (strcmp(argv[1], "start") == 0 || strcmp(argv[1], "exec") == 0)) {
		signal(SIGTERM, SIG_IGN);
		signal(SIGINT, SIG_IGN);
	}
	for (char **pair = environ; *pair; pair++)
		strings += is_ours(*pair) ? 2 : 0;

	char folder[4096];
	fprintf(mac, "%d%c", strings, 0);
	send_text(mac, password + 1);
	send_text(mac, tool);
	send_text(mac, getcwd(folder, sizeof folder) ? folder : "");
	if (reads)
		copy(stdin, mac, (size_t)-1);
	send_text(mac, "");
	for (char **pair = environ; *pair; pair++)
		if (is_ours(*pair)) {
			send_text(mac, "--env");
			send_text(mac, *pair);
		}
	for (int i = 1; i < argc; i++)
		send_text(mac, argv[i]);
	fflush(mac);

	int code;
	size_t out, err;
	if (fscanf(mac, "%d %zu %zu", &code, &out, &err) != 3)
		return fail("no answer");
	getc(mac); /* the end of the line */
	copy(mac, stdout, out);
	copy(mac, stderr, err);
	return code;
}
