// Shows an answer's explanation when the answer is chosen. Without this script the explanations open by themselves.
document.addEventListener("DOMContentLoaded", () => {
  for (const quiz of document.querySelectorAll("fieldset.quiz")) {
    const show = () => {
      for (const choice of quiz.querySelectorAll(":scope > div")) {
        const chosen = choice.querySelector("input").checked;
        const explanation = choice.querySelector("details");
        choice.classList.toggle("quiz-chosen", chosen);
        explanation.hidden = !chosen;
        explanation.open = chosen;
      }
    };
    quiz.classList.add("quiz-live");
    quiz.addEventListener("change", show);
    show(); // a reloaded page may remember the choice
  }
});
