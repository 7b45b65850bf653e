#include "storage/layers/memory_spans.hpp"

#include "storage/timeline/local_timeline.hpp"

namespace strata::storage {

std::vector<memory_span> local_timeline::memory_spans() const {
  const auto view = current();
  std::vector<memory_span> spans{{view->memory.front()->begin(), std::nullopt}};
  for (std::size_t i = 1; i < view->memory.size(); ++i)
    spans.push_back({view->memory[i]->begin(), view->memory[i]->end()});
  return spans;
}

std::vector<memory_span> memory_spans(const timeline_store& of) {
  const auto* local = dynamic_cast<const local_timeline*>(&of);
  return local != nullptr ? local->memory_spans() : std::vector<memory_span>();
}

}  // namespace strata::storage
