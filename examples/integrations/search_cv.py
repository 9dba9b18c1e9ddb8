"""``SearchCV`` tunes two estimators of scikit-learn: a pipeline fold by fold, and a network pass by pass.

The scheduler ASHA stops most configurations after a fold or a few passes.
"""

from digits_svm import digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from trialwright import ASHA, SearchCV, space

x, x_test, y, y_test = train_test_split(*digits(), test_size=0.25, random_state=0, stratify=digits()[1])

pipeline = make_pipeline(StandardScaler(), SVC())
svc = {"C": space.loguniform(1e-2, 1e3), "gamma": space.loguniform(1e-5, 1e-1)}
folds = SearchCV(pipeline, {"svc": svc}, scheduler=ASHA(max_t=5), num_samples=20, cv=5, seed=0).fit(x, y)
print(f"SVM: {folds.best_params_}, {folds.cv_results_['folds'].sum()} of {20 * 5} folds were fitted")
print(
    f"SVM: accuracy {folds.best_score_:.3f} in cross-validation, {folds.score(x_test, y_test):.3f} on the test images"
)

network = MLPClassifier(random_state=0)
over = {"learning_rate_init": space.loguniform(1e-4, 1e-1), "alpha": space.loguniform(1e-6, 1)}
passes = SearchCV(network, over, passes=20, scheduler=ASHA(max_t=20), num_samples=12, cv=3, seed=0).fit(x, y)
made = sum(trial.step for trial in passes.result_)
print(f"network: {passes.best_params_}, {made} of {12 * 20} passes were made")
print(
    f"SVM {folds.score(x_test, y_test):.3f}, network {passes.score(x_test, y_test):.3f} of the test images read rightly"
)
