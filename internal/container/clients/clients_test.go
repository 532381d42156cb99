package clients

import (
	"strings"
	"testing"
)

// TestTargets has variables as programs really have them (the published set-ups of
// Open WebUI, AnythingLLM, n8n, OpenHands and others), and what they point to.
func TestTargets(t *testing.T) {
	const local = "http://localhost:11434"
	long := strings.Repeat("x", 20<<10)
	for _, tc := range []struct {
		line string
		want string // the URLs, "" for no target
	}{
		// Programs that call it something with OLLAMA.
		{"OLLAMA_BASE_URL=" + local, local},
		{"OLLAMA_BASE_URL=/ollama", "http://host.docker.internal:11434"},
		{"OLLAMA_BASE_URLS=http://a:11434;http://b:8080", "http://a:11434 http://b:8080"},
		{"OLLAMA_API_BASE_URL=" + local + "/api", local + "/api"},
		{"OLLAMA_API_BASE=" + local, local},
		{"OLLAMA_HOST=ollama", "http://ollama:11434"},
		{"OLLAMA_HOST=https://h/a/b", "https://h:443/a/b"},
		{"OLLAMA_HOST=0.0.0.0", "http://0.0.0.0:11434"},
		{"OLLAMA_BASE_PATH=" + local, local},
		{"OLLAMA_API_URL=http://host.docker.internal:11434", "http://host.docker.internal:11434"},
		{"OLLAMA_URL=" + local + "/", local + "/"},
		{"OLLAMA_ENDPOINT=" + local, local},
		{"OLLAMA_SERVER_URL=http://192.168.1.5:11434", "http://192.168.1.5:11434"},
		{"OLLAMA_PROXY_URL=" + local + "/v1", local + "/v1"},
		{"LLM_OLLAMA_BASE_URL=" + local, local},
		{"SPRING_AI_OLLAMA_BASE_URL=" + local, local},
		{"spring.ai.ollama.base-url=" + local, local},
		{"QUARKUS_LANGCHAIN4J_OLLAMA_BASE_URL=" + local, local},
		{"ollama_url=http://mac.local:11500", "http://mac.local:11500"},
		{"NEXT_PUBLIC_OLLAMA_URL=" + local, local},
		{"OLLAMA_SERVER=10.0.0.5:11434", "http://10.0.0.5:11434"},
		{"OLLAMA_HOSTNAME=host.docker.internal", "http://host.docker.internal"},
		{"OLLAMA_BASE_URL=https://ollama.com", "https://ollama.com"},
		{"MY_OLLAMA_CONFIG={\"url\": \"http://gpu.example:8080/\", \"n\": 3}", "http://gpu.example:8080/"},

		// Programs that do not, by the port.
		{"EMBEDDING_BASE_PATH=" + local, local},
		{"LLM_BASE_URL=" + local, local},
		{"OPENAI_API_BASE=" + local + "/v1", local + "/v1"},
		{"OPENAI_BASE_URL=" + local + "/v1", local + "/v1"},
		{"OPENAI_API_BASE_URL=http://host.docker.internal:11434/v1", "http://host.docker.internal:11434/v1"},
		{"OPENAI_API_BASE_URLS=" + local + "/v1;https://api.openai.com/v1", local + "/v1"},
		{"LLM_HOST=localhost:11434", local},
		{"BACKEND=http://[::1]:11434", "http://[::1]:11434"},
		{"ENDPOINTS=https://x.example," + local + " http://y:11434", local + " http://y:11434"},
		{"AI=HTTP://LOCALHOST:11434", "HTTP://LOCALHOST:11434"},
		{`LLM_MODELS=[{"name":"a","url":"http://a:11434/v1"},{"url":"https://api.openai.com"}]`, "http://a:11434/v1"},
		{"YAML=llm:   base_url: http://localhost:11434   temperature: 0", local},
		{"ARGS=--llm http://localhost:11434/api --debug", local + "/api"},
		{"ARGS=--host localhost:11434 --debug", local},
		{"API=http://me:pw@h:11434", "http://me:pw@h:11434"},
		{"LLM=http://h:8080", "http://h:8080"}, // the port that is wanted
		{"LONG={\"" + long + "\": \"http://h:11434\"}", "http://h:11434"},

		// What is wrong with them is for later.
		{"OLLAMA_BASE_URL=http:/host:1", "http:/host:1"},
		{`OLLAMA_BASE_URL="http://host:1"`, `"http://host:1"`},
		{`LLM='http://localhost:11434'`, `'http://localhost:11434'`},
		{"OLLAMA_BASE_URL=h:1/x", "http://h:1/x"},
		{"OLLAMA_BASE_URL=h;i", "h;i"},
		{`OLLAMA_URL=HTTP:\\host.docker.internal:11434`, `HTTP:\\host.docker.internal:11434`},
		{"OLLAMA_BASE_URL=localhost", "http://localhost"},
		{"OLLAMA_API_BASE=htp://h:11434", "htp://h:11434"},
		{"OLLAMA_BASE_URL=http://h:11434\x1b[2J", "http://h:11434?[2J"},

		// Those that point elsewhere, or nowhere.
		{"OPENAI_BASE_URL=https://api.openai.com/v1", ""},
		{"OPENAI_API_BASE=http://localhost:1234/v1", ""},
		{"OLLAMA_ORIGINS=http://localhost:3000,https://a.example", ""},
		{"CORS_ALLOW_ORIGIN=" + local, ""},
		{"OLLAMA_MODELS=/root/.ollama/models", ""},
		{"OLLAMA_MODEL=llama3.2:3b", ""},
		{"OLLAMA_MODEL=llama2:13", ""},
		{"OLLAMA_KEEP_ALIVE=5m", ""},
		{"OLLAMA_NUM_PARALLEL=4", ""},
		{"OLLAMA_PORT=11434", ""},
		{"OLLAMA_PORT=tcp://172.17.0.5:11434", ""},
		{"OLLAMA_VERSION=0.5.7", ""},
		{"OLLAMA_API_KEY=abc", ""},
		{"OLLAMA_BASE_URL=", ""},
		{"OLLAMA_BASE_URL=  ", ""},
		{"OLLAMA_SERVER=true", ""},
		{"ENABLE_OLLAMA_API=True", ""},
		{"PORT=11434", ""},
		{"LISTEN_ADDR=127.0.0.1:11434", ""},
		{"ADDR=0.0.0.0:11434", ""},
		{"ADDR=:11434", ""},
		{"PORTS=11434:11434", ""},
		{"DATABASE_URL=postgres://me:pw@db:11434/x", ""},
		{"REDIS_URL=redis://redis:6379", ""},
		{"http_proxy=http://p:11434", ""},
		{"NO_PROXY=localhost:11434", ""},
		{"USE_OLLAMA_DOCKER=true", ""},
		{"PATH=/usr/bin:/bin", ""},
		{"NOT_A_PAIR", ""},
		{"TIME=http://h:114345", ""},
		{"NAME=http://h:11434.example", ""},
	} {
		var got []string
		for _, target := range Targets(Keep([]string{"A=b", tc.line}), 8080) {
			got = append(got, target.URL)
			if name, _, _ := strings.Cut(tc.line, "="); target.Variable != name {
				t.Errorf("%.60s: variable %q", tc.line, target.Variable)
			}
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%.60s: %q, want %q", tc.line, got, tc.want)
		}
	}
}

func TestTargetsTogether(t *testing.T) {
	for _, tc := range []struct{ env, want string }{
		{"OLLAMA_HOST=h Z=http://z:11434 OLLAMA_API_BASE_URL=http://d/api OLLAMA_API_BASE=http://c OLLAMA_BASE_URL=http://a A=http://a",
			"OLLAMA_BASE_URL=http://a OLLAMA_API_BASE=http://c OLLAMA_API_BASE_URL=http://d/api OLLAMA_HOST=http://h:11434 Z=http://z:11434"},
		{"OLLAMA_BASE_URL=/ollama USE_OLLAMA_DOCKER=true", "OLLAMA_BASE_URL=http://localhost:11434"},
		{"OLLAMA_BASE_URL=/ollama OLLAMA_BASE_URLS=http://a", "OLLAMA_BASE_URLS=http://a"},
		{"OLLAMA_HOST=a OLLAMA_HOST=b", "OLLAMA_HOST=http://b:11434"},
	} {
		var got []string
		for _, target := range Targets(Keep(strings.Fields(tc.env))) {
			got = append(got, target.Variable+"="+target.URL)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s:\n got %q\nwant %q", tc.env, got, tc.want)
		}
	}
}

func FuzzTargets(f *testing.F) {
	f.Add("OLLAMA_BASE_URL", "http://localhost:11434;[::1]:1")
	f.Add("X", "{\"a\": \"https://h:11434\"} \x1b")
	f.Fuzz(func(t *testing.T, name, value string) {
		for _, target := range Targets(Keep([]string{name + "=" + value})) {
			if target.Value == "" || strings.ContainsAny(target.URL, "\x00\x1b\n") {
				t.Errorf("%q", target)
			}
		}
	})
}
