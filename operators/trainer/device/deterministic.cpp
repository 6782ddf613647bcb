// Tells libtorch to give the same bits each time on a GPU, or to say which operation cannot.
#include <cstdlib>

#include <ATen/Context.h>

extern "C" void etude_deterministic(bool wanted) {
  auto& context = at::globalContext();
  // Whatever an operation does not say it can repeat ends the training with its name.
  context.setDeterministicAlgorithms(wanted, false);
  // Memory that nothing was written to is not read: it need not be filled.
  context.setDeterministicFillUninitializedMemory(false);
  context.setDeterministicCuDNN(wanted);
  context.setBenchmarkCuDNN(false);
  // cuBLAS repeats its sums only with workspaces of a fixed size; it looks here when it is first called.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
}

extern "C" bool etude_is_deterministic() { return at::globalContext().deterministicAlgorithms(); }
